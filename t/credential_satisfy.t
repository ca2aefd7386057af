# codat_satisfy, and which level's credentials count

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use CodatTest;
use CodatTest::Blocks;

our $secret = 'whsec_b25lIHNlY3JldCBvZiAzMiBieXRlcyBsZW5ndGggIQ==';
our $other = 'whsec_b3RoZXIgc2VjcmV0IG9mIDMyIGJ5dGVzIGxlbmd0aCE=';
our $body = '{"id":"e-1","eventType":"invoices.write.successful","payload":{}}';
our $accepted
    = '{"id":"e-1","type":"invoices.write.successful","result":"accepted"}';
our $bearer = 'Bearer realm="codat"';
our $signature = 'Signature realm="codat", '
    . 'headers="webhook-id webhook-timestamp webhook-signature"';

# what a request can bring for either group

our %sent = (
    signature => {
        none => sub { '' },
        right => sub { signed_headers($secret, $body) },
        wrong => sub { signed_headers($other, $body) },
        stale => sub { signed_headers($secret, $body, offset => -301) },
        partial => sub { signed_headers($secret, $body) =~ s/^.*-id:.*\n//r },
        id => sub { (signed_headers($secret, $body) =~ /^(.*-id:.*\n)/)[0] },
    },
    authorization => {
        none => sub { '' },
        right => sub { "Authorization: Bearer t0ken\n" },
        wrong => sub { "Authorization: Bearer wr0ng\n" },
    },
);

# headers('signature authorization'): of one request

sub headers {
    my ($one, $two) = CORE::split(/ /, shift);
    return $sent{signature}{$one}->() . $sent{authorization}{$two}->()
        . "X-Nothing: else\n";
}

# the problem, or nothing, for each pair

our %all = (
    'right right' => '',
    'right wrong' => 'credential_mismatch',
    'right none' => 'credential_missing',
    'wrong right' => 'signature_mismatch',
    'wrong wrong' => 'credential_mismatch',
    'wrong none' => 'credential_missing',
    'stale right' => 'timestamp_out_of_tolerance',
    'stale wrong' => 'credential_mismatch',
    'stale none' => 'credential_missing',
    'partial right' => 'signature_missing',
    'partial wrong' => 'credential_mismatch',
    'partial none' => 'credential_missing',
    'none right' => 'signature_missing',
    'none wrong' => 'credential_mismatch',
    'none none' => 'credential_missing',
);

our %any = (
    'right right' => '',
    'right wrong' => '',
    'right none' => '',
    'wrong right' => '',
    'wrong wrong' => 'signature_mismatch',
    'wrong none' => 'signature_mismatch',
    'stale right' => '',
    'stale wrong' => 'timestamp_out_of_tolerance',
    'stale none' => 'timestamp_out_of_tolerance',
    'partial right' => '',
    'partial wrong' => 'signature_missing',
    'partial none' => 'signature_missing',
    'none right' => '',
    'none wrong' => 'credential_mismatch',
    'none none' => 'credential_missing',
    'id wrong' => 'credential_mismatch',
    'id none' => 'credential_missing',
);

sub cases { my $table = shift; return CORE::sort keys %$table }

our $both = "codat_credential signature $secret;
             codat_credential bearer t0ken;";

my @secrets = ('t0ken', 'wr0ng', map { s/^whsec_//r } $secret, $other);
my $http = "codat_zone zone=codat:1m dedupe=off;\n";
my $config = "location /all { codat_webhook zone=codat; $both }
              location /any { codat_webhook zone=codat; $both
                              codat_satisfy any; }";

webhook_blocks(http => $http, config => $config, secrets => \@secrets);

run_tests();

__DATA__

=== TEST 1: all, the default: one match in each configured group
--- request eval: [map { "POST /all\n$::body" } main::cases(\%::all)]
--- more_headers eval: [map { main::headers($_) } main::cases(\%::all)]
--- error_code eval: [map { $_ ? 401 : 200 } @::all{main::cases(\%::all)}]
--- problem eval: [@::all{main::cases(\%::all)}]
--- response_headers eval: [map { $_ ? "WWW-Authenticate: $::bearer, $::signature" : '!WWW-Authenticate' } @::all{main::cases(\%::all)}]
--- response_body_like eval: [map { $_ ? qq{"$_"} : "^\Q$::accepted\E\$" } @::all{main::cases(\%::all)}]


=== TEST 2: all, said aloud
--- config eval
"location /all { codat_webhook zone=codat; $::both codat_satisfy all; }"
--- request eval: [map { "POST /all\n$::body" } main::cases(\%::all)]
--- more_headers eval: [map { main::headers($_) } main::cases(\%::all)]
--- error_code eval: [map { $_ ? 401 : 200 } @::all{main::cases(\%::all)}]
--- problem eval: [@::all{main::cases(\%::all)}]
--- response_body_like eval: [map { $_ ? qq{"$_"} : "^\Q$::accepted\E\$" } @::all{main::cases(\%::all)}]


=== TEST 3: any: one match in one group
--- request eval: [map { "POST /any\n$::body" } main::cases(\%::any)]
--- more_headers eval: [map { main::headers($_) } main::cases(\%::any)]
--- error_code eval: [map { $_ ? 401 : 200 } @::any{main::cases(\%::any)}]
--- problem eval: [@::any{main::cases(\%::any)}]
--- response_headers eval: [map { $_ ? "WWW-Authenticate: $::bearer, $::signature" : '!WWW-Authenticate' } @::any{main::cases(\%::any)}]
--- response_body_like eval: [map { $_ ? qq{"$_"} : "^\Q$::accepted\E\$" } @::any{main::cases(\%::any)}]


=== TEST 4: any and all are the same where one group is configured
--- config eval
CORE::join('', map { my $satisfy = $_;
    "location /signature-$satisfy { codat_webhook zone=codat; codat_satisfy $satisfy;
                                    codat_credential signature $::secret; }
     location /bearer-$satisfy { codat_webhook zone=codat; codat_satisfy $satisfy;
                                 codat_credential bearer t0ken; }" } qw(all any))
--- request eval: [map { "POST /$_\n$::body" } map { ("signature-$_") x 4, ("bearer-$_") x 4 } qw(all any)]
--- more_headers eval
[map { (map { main::headers($_) } 'right none', 'right wrong', 'wrong right', 'none right',
                            'none right', 'wrong right', 'right wrong', 'right none') } 1, 2]
--- error_code eval: [(200, 200, 401, 401, 200, 200, 401, 401) x 2]
--- problem eval
[('', '', 'signature_mismatch', 'signature_missing',
  '', '', 'credential_mismatch', 'credential_missing') x 2]
--- response_headers eval
[((map { $_ } '!WWW-Authenticate', '!WWW-Authenticate',
   ("WWW-Authenticate: $::signature") x 2, '!WWW-Authenticate', '!WWW-Authenticate',
   ("WWW-Authenticate: $::bearer") x 2)) x 2]
--- response_body_like eval
[("^\Q$::accepted\E\$", "^\Q$::accepted\E\$", 'mismatch', 'missing') x 4]


=== TEST 5: all needs one of the authorization group, not each of its kinds
--- config eval
"location /all { codat_webhook zone=codat; $::both
                 codat_credential header X-Key k3y; codat_credential basic me:pa55; }"
--- request eval: [("POST /all\n$::body") x 4]
--- more_headers eval
[(map { signed_headers($::secret, $::body) . $_ } 'X-Key: k3y', 'Authorization: Bearer t0ken',
  'Authorization: ' . basic('me', 'pa55')), 'X-Key: k3y']
--- error_code eval: [200, 200, 200, 401]
--- problem eval: ['', '', '', 'signature_missing']
--- response_body_like eval: [("^\Q$::accepted\E\$") x 3, 'signature_missing']


=== TEST 6: any: the body of a request that has the right credential need not be signed
--- request eval: "POST /any\n$::body"
--- more_headers eval: main::headers('wrong right')
--- response_body eval: $::accepted


=== TEST 7: credentials are inherited from http and server, the nearest level counts alone
--- http_config eval
"codat_zone zone=codat:1m; codat_credential signature $::secret;"
--- config eval
"location /http { codat_webhook zone=codat; }
 location /own { codat_webhook zone=codat; codat_credential bearer t0ken; }
 location /outer { codat_credential bearer t0ken;
     location /outer/inner { codat_webhook zone=codat; } }"
--- request eval: [map { "POST /$_\n$::body" } qw(http http own own outer/inner outer/inner)]
--- more_headers eval: [map { main::headers($_) } ('right none', 'none right') x 3]
--- error_code eval: [200, 401, 401, 200, 401, 200]
--- problem eval: ['', 'signature_missing', 'credential_missing', '', 'credential_missing', '']
--- response_headers eval
['!WWW-Authenticate', "WWW-Authenticate: $::signature", "WWW-Authenticate: $::bearer",
 '!WWW-Authenticate', "WWW-Authenticate: $::bearer", '!WWW-Authenticate']
--- response_body_like eval
["^\Q$::accepted\E\$", 'missing', 'missing', "^\Q$::accepted\E\$", 'missing', "^\Q$::accepted\E\$"]


=== TEST 8: credentials of server go before those of http
--- http_config eval
"codat_zone zone=codat:1m; codat_credential signature $::secret;"
--- config eval
"codat_credential bearer t0ken; location /server { codat_webhook zone=codat; }"
--- request eval: [("POST /server\n$::body") x 2]
--- more_headers eval: [map { main::headers($_) } 'right none', 'none right']
--- error_code eval: [401, 200]
--- problem eval: ['credential_missing', '']
--- response_body_like eval: ['missing', "^\Q$::accepted\E\$"]


=== TEST 9: codat_satisfy is inherited, and overridden
--- http_config: codat_zone zone=codat:1m; codat_satisfy any;
--- config eval
"$::both
 location /any { codat_webhook zone=codat; }
 location /all { codat_webhook zone=codat; codat_satisfy all; }"
--- request eval: [map { "POST /$_\n$::body" } qw(any all)]
--- more_headers eval: [map { main::headers($_) } ('right none') x 2]
--- error_code eval: [200, 401]
--- problem eval: ['', 'credential_missing']
--- response_body_like eval: ["^\Q$::accepted\E\$", 'missing']


=== TEST 10: codat_tolerance is inherited, and overridden
--- http_config: codat_zone zone=codat:1m; codat_tolerance 1h;
--- config eval
"codat_credential signature $::secret;
 location /hour { codat_webhook zone=codat; }
 location /minute { codat_webhook zone=codat; codat_tolerance 1m; }"
--- request eval: [map { "POST /$_\n$::body" } qw(hour minute hour)]
--- more_headers eval: [map { signed_headers($::secret, $::body, offset => $_) } -3000, -3000, -3700]
--- error_code eval: [200, 401, 401]
--- problem eval: ['', ('timestamp_out_of_tolerance') x 2]
--- detail eval: ['', ' 60s ', ' 3600s ']
--- response_body_like eval: ["^\Q$::accepted\E\$", ('timestamp') x 2]


=== TEST 11: none lets anybody in
--- config
location /open { codat_webhook zone=codat; codat_credential none; }
--- suppress_stderr
--- request eval: [("POST /open\n$::body") x 3]
--- more_headers eval: [map { main::headers($_) } 'none none', 'wrong wrong', 'stale none']
--- error_code eval: [(200) x 3]
--- response_body eval: [("$::accepted") x 3]


=== TEST 12: none of one location opens only that one
--- config eval
"$::both
 location /open { codat_webhook zone=codat; codat_credential none; }
 location /shut { codat_webhook zone=codat; }"
--- suppress_stderr
--- request eval: [map { "POST /$_\n$::body" } qw(open shut)]
--- more_headers eval: [map { main::headers($_) } ('none none') x 2]
--- error_code eval: [200, 401]
--- problem eval: ['', 'credential_missing']
--- response_body_like eval: ["^\Q$::accepted\E\$", 'missing']


=== TEST 13: none of a server is replaced by a location's credential
--- config eval
"codat_credential none;
 location /open { codat_webhook zone=codat; }
 location /shut { codat_webhook zone=codat; codat_credential bearer t0ken; }"
--- suppress_stderr
--- request eval: [map { "POST /$_\n$::body" } qw(open shut shut)]
--- more_headers eval: [map { main::headers($_) } 'none none', 'none none', 'none right']
--- error_code eval: [200, 401, 200]
--- problem eval: ['', 'credential_missing', '']
--- response_body_like eval: ["^\Q$::accepted\E\$", 'missing', "^\Q$::accepted\E\$"]


=== TEST 14: "if" blocks of the location are under the same credentials
--- config eval
"location /all { codat_webhook zone=codat; $::both
                 if (\$arg_x) { add_header X-If 1 always; } }"
--- request eval: [map { "POST $_\n$::body" } '/all?x=1', '/all?x=1', '/all']
--- more_headers eval: [map { main::headers($_) } 'none none', 'right right', 'none right']
--- error_code eval: [401, 200, 401]
--- problem eval: ['credential_missing', '', 'signature_missing']
--- response_headers eval: ['X-If: 1', 'X-If: 1', '!X-If']
--- response_body_like eval: ['missing', "^\Q$::accepted\E\$", 'missing']
