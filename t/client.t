# codat_client: whose events are taken

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use CodatTest;
use CodatTest::Blocks;

our $one = '2e9d2c44-f675-40ba-8049-353bfcb5e171';
our $two = '86bd88cb-44ab-4dfb-b32f-87b19b14287f';
our $alien = 'b18d8d81-fd7b-4764-a31e-475cb1f36591';

our $secret = 'whsec_b25lIHNlY3JldCBvZiAzMiBieXRlcyBsZW5ndGggIQ==';
our $current = '{"id":"e-1","eventType":"company.added","payload":{}}';
our $accepted = '{"id":"e-1","type":"company.added","result":"accepted"}';

# a body of the old kind, with these members more

sub legacy {
    my $more = shift // '';
    return '{"AlertId":"a-1","RuleType":"Data sync completed"' . $more . '}';
}

our $legacy_accepted
    = '{"id":"a-1","type":"read.completed","result":"accepted"}';

my @secrets = ($secret =~ /_(.*)/);
my $http = "codat_zone zone=codat:1m dedupe=off;\n";
my $config = "location /webhook { codat_webhook zone=codat;
                                  codat_credential none;
                                  codat_client $one $two; }
              location /signed { codat_webhook zone=codat;
                                 codat_credential signature $secret;
                                 codat_client $one; }";

webhook_blocks(http => $http, config => $config, secrets => \@secrets,
               suppress_stderr => 1);

run_tests();

__DATA__

=== TEST 1: a client in the list, by header
--- request eval: [("POST /webhook\n$::current") x 3]
--- more_headers eval: [map { "X-Codat-ClientId: $_" } $::one, $::two, CORE::uc $::one]
--- error_code eval: [(200) x 3]
--- response_body eval: [("$::accepted") x 3]


=== TEST 2: a client that is not in the list, by header
--- request eval: [("POST /webhook\n$::current") x 5]
--- more_headers eval
[map { "X-Codat-ClientId: $_" } $::alien, substr($::one, 0, -1), "${main::one}0", "$::one $::two", '*']
--- error_code eval: [(403) x 5]
--- problem eval: [('client_not_allowed') x 5]
--- detail eval: [('^X-Codat-ClientId is not in codat_client$') x 5]
--- response_headers eval: [('!WWW-Authenticate') x 5]


=== TEST 3: no client at all passes, in header or body
--- request eval: [map { "POST /webhook\n$_" } $::current, main::legacy()]
--- more_headers eval: ['Accept: */*', 'X-Codat-ClientId:']
--- error_code eval: [200, 200]
--- response_body eval: ["$::accepted", "$::legacy_accepted"]


=== TEST 4: a client in the list, by body, whatever the case
--- request eval
[map { "POST /webhook\n" . main::legacy(qq(,"$_->[0]":"$_->[1]")) }
 ['ClientId', $::one], ['ClientId', $::two], ['clientId', $::one], ['CLIENTID', CORE::uc $::two]]
--- error_code eval: [(200) x 4]
--- response_body eval: [("$::legacy_accepted") x 4]


=== TEST 5: a client that is not in the list, by body
--- request eval
[map { "POST /webhook\n" . main::legacy(qq(,"$_->[0]":$_->[1])) }
 ['ClientId', qq("$::alien")], ['clientid', '"x"'], ['ClientId', '17'],
 ['ClientId', qq("$::one","ClientId":"$::alien")]]
--- error_code eval: [(403) x 4]
--- problem eval: [('client_not_allowed') x 4]
--- detail eval: [('^ClientId of the body is not in codat_client$') x 4]
--- response_headers eval: [('!WWW-Authenticate') x 4]


=== TEST 6: an empty or null id of the body counts as absent
--- request eval
[map { "POST /webhook\n" . main::legacy(qq(,"ClientId":$_)) } '""', 'null']
--- error_code eval: [(200) x 2]
--- response_body eval: [("$::legacy_accepted") x 2]


=== TEST 7: header and body are both checked: an allowed header does not hide the body's client
--- request eval
[map { "POST /webhook\n" . main::legacy(qq(,"ClientId":"$_")) } $::alien, $::two, $::one]
--- more_headers eval: [map { "X-Codat-ClientId: $_" } $::one, $::one, $::alien]
--- error_code eval: [403, 200, 403]
--- problem eval: ['client_not_allowed', '', 'client_not_allowed']
--- response_body_like eval: ['client_not_allowed', "^\Q$::legacy_accepted\E\$", 'client_not_allowed']


=== TEST 8: credentials come first, the header's client before the body's signature
--- request eval: [("POST /signed\n$::current") x 4]
--- more_headers eval
my $id = "X-Codat-ClientId: $::alien";
[$id, signed_headers($::secret, $::current) . $id, signed_headers('eHh4', $::current) . $id,
 signed_headers($::secret, $::current)]
--- error_code eval: [401, 403, 403, 200]
--- problem eval: ['signature_missing', 'client_not_allowed', 'client_not_allowed', '']
--- response_body_like eval: ['missing', ('client_not_allowed') x 2, "^\Q$::accepted\E\$"]


=== TEST 9: the body's client is looked at only where the signature is right
--- request eval: [map { "POST /signed\n" . main::legacy(qq(,"ClientId":"$::alien")) } 1, 2]
--- more_headers eval
my $body = main::legacy(qq(,"ClientId":"$::alien"));
[signed_headers('eHh4', $body), signed_headers($::secret, $body)]
--- error_code eval: [401, 403]
--- problem eval: ['signature_mismatch', 'client_not_allowed']


=== TEST 10: without codat_client any client passes
--- config
location /webhook { codat_webhook zone=codat; codat_credential none; }
--- request eval: [map { "POST /webhook\n$_" } $::current, main::legacy(qq(,"ClientId":"$::alien"))]
--- more_headers eval: ["X-Codat-ClientId: $::alien", 'Accept: */*']
--- error_code eval: [200, 200]
--- response_body eval: ["$::accepted", "$::legacy_accepted"]


=== TEST 11: several lines add up, the nearest level counts alone
--- config eval
"codat_credential none; codat_client $::one;
 location /inherited { codat_webhook zone=codat; }
 location /own { codat_webhook zone=codat; codat_client $::two; codat_client $::alien; }"
--- request eval: [map { "POST /$_\n$::current" } ('inherited') x 2, ('own') x 3]
--- more_headers eval: [map { "X-Codat-ClientId: $_" } $::one, $::two, $::one, $::two, $::alien]
--- error_code eval: [200, 403, 403, 200, 200]
--- problem eval: ['', 'client_not_allowed', 'client_not_allowed', '', '']
--- response_body_like eval
["^\Q$::accepted\E\$", ('client_not_allowed') x 2, ("^\Q$::accepted\E\$") x 2]


=== TEST 12: a refused client's event is not remembered
--- http_config: codat_zone zone=codat:1m;
--- request eval
[map { "POST /webhook\n" . main::legacy(qq(,"ClientId":"$_")) } $::alien, $::one, $::one]
--- error_code eval: [403, 200, 200]
--- problem eval: ['client_not_allowed', '', '']
--- response_body_like eval
['client_not_allowed', "^\Q$::legacy_accepted\E\$", '"result":"duplicate"\}$']


=== TEST 13: a refused client's event is not forwarded
--- config eval
"location /webhook { codat_webhook zone=codat; codat_credential none; codat_client $::one;
                     codat_forward * /app; codat_log_level notice; }
 location /app { return 418; }"
--- request eval
[map { "POST /webhook\n" . main::legacy(qq(,"ClientId":"$_")) } $::alien, $::one]
--- error_code eval: [403, 502]
--- problem eval: ['client_not_allowed', 'forward_failed']
--- refused_at eval: ['notice', 'error']
--- logged eval: ['', 'codat: forward to "/app" failed, status: 418']
