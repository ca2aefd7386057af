# codat_credential basic, bearer and header

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use CodatTest;
use CodatTest::Blocks;

our $body = '{"id":"e-1","eventType":"invoices.write.successful","payload":{}}';
our $accepted
    = '{"id":"e-1","type":"invoices.write.successful","result":"accepted"}';
our $basic = 'WWW-Authenticate: Basic realm="codat", charset="UTF-8"';
our $bearer = 'WWW-Authenticate: Bearer realm="codat"';

my @secrets = qw(pa55-word: t0ken/+= s3cret-value n3w-word
                 cGE1NS13b3JkOg);
my $http = "codat_zone zone=codat:1m dedupe=off;\n";
my $config = <<'EOC';
location /basic  { codat_webhook zone=codat;
                   codat_credential basic codat:pa55-word:; }
location /bearer { codat_webhook zone=codat;
                   codat_credential bearer t0ken/+=; }
location /header { codat_webhook zone=codat;
                   codat_credential header X-Api-Key s3cret-value; }
location /every  { codat_webhook zone=codat;
                   codat_credential basic codat:pa55-word:;
                   codat_credential basic codat:n3w-word;
                   codat_credential bearer t0ken/+=;
                   codat_credential header X-Api-Key s3cret-value;
                   codat_credential header Authorization "Custom s3cret-value"; }
EOC

webhook_blocks(http => $http, config => $config, secrets => \@secrets);


# a stranger's body is not waited for

{
    my $nginx = CodatTest::Nginx->new(level => 'info', conf => {
        http => "$http keepalive_timeout 5s;", server => $config })->start;

    for my $case (['/basic', '', 'credential_missing'],
                  ['/bearer', "Authorization: Bearer no\n",
                   'credential_mismatch'],
                  ['/header', "X-Api-Key: no\n", 'credential_mismatch'])
    {
        my ($uri, $headers, $code) = @$case;

        for my $framing ("Content-Length: 1048576\n",
                         "Transfer-Encoding: chunked\n")
        {
            my $got = $nginx->request('POST', $uri, $headers . $framing,
                                      undef, timeout => 4);
            is($got && $got->status, 401, "$uri: answered at once: $framing");
            is($got && $got->json->{code}, $code, "$uri: code");
        }
    }

    ok($nginx->wait_idle, 'no connection is left');
    no_bad_log($nginx);
    ok($nginx->stop, 'nginx stops');
}


run_tests();

__DATA__

=== TEST 1: basic: user and password, which may hold colons
--- request eval: "POST /basic\n$::body"
--- more_headers eval: 'Authorization: ' . basic('codat', 'pa55-word:')
--- response_headers
!WWW-Authenticate
--- response_body eval: $::accepted


=== TEST 2: basic: no Authorization at all is a missing credential
--- request eval: "POST /basic\n$::body"
--- error_code: 401
--- problem: credential_missing
--- detail: ^the header that is to carry the credential was not sent$
--- response_headers eval: $::basic


=== TEST 3: basic: what does not match exactly is a mismatch
--- request eval: [("POST /basic\n$::body") x 10]
--- more_headers eval
[map { "Authorization: $_" } basic('codat', 'pa55-word'), basic('codat', 'pa55-word::'),
 basic('Codat', 'pa55-word:'), basic('codat', 'Pa55-word:'), basic('codat', ''),
 basic('', 'pa55-word:'), basic('', ''), basic('codat', "pa55-word:\0"),
 basic(' codat', 'pa55-word:'), 'Basic ' . 'QUFB' x 1000]
--- error_code eval: [(401) x 10]
--- problem eval: [('credential_mismatch') x 10]
--- detail eval: [('^the credential sent is none of those configured by codat_credential$') x 10]
--- response_headers eval: [("$::basic") x 10]


=== TEST 4: basic: malformed base64 and other schemes are a mismatch
--- request eval: [("POST /basic\n$::body") x 11]
--- more_headers eval
my $good = basic('codat', 'pa55-word:');
my ($bytes) = $good =~ /^Basic (.*)/;
[map { "Authorization: $_" } 'Basic', 'Basic ****', 'Basic A', 'Basic =',
 'Basic ' . substr($bytes, 0, -3), 'Basic codat:pa55-word:', $bytes, "Bearer $bytes",
 "Basi $bytes", "Basic$bytes", "Basic\t$bytes"]
--- error_code eval: [(401) x 11]
--- problem eval: [('credential_mismatch') x 11]
--- response_headers eval: [("$::basic") x 11]


=== TEST 5: basic and bearer: the scheme has no case, blanks before the value do no harm
--- request eval: [(map { "POST /basic\n$::body" } 1 .. 4), (map { "POST /bearer\n$::body" } 1 .. 4)]
--- more_headers eval
my ($bytes) = basic('codat', 'pa55-word:') =~ /^Basic (.*)/;
[(map { "Authorization: $_$bytes" } 'basic ', 'BASIC ', 'bAsIc ', 'Basic    '),
 (map { "Authorization: ${_}t0ken/+=" } 'bearer ', 'BEARER ', 'beArer ', 'Bearer    ')]
--- error_code eval: [(200) x 8]
--- response_body eval: [("$::accepted") x 8]


=== TEST 6: bearer: the token as it is, not base64
--- request eval: "POST /bearer\n$::body"
--- more_headers
Authorization: Bearer t0ken/+=
--- response_headers
!WWW-Authenticate
--- response_body eval: $::accepted


=== TEST 7: bearer: missing and mismatching tokens
--- request eval: [("POST /bearer\n$::body") x 9]
--- more_headers eval
['X-Token: t0ken/+=', map { "Authorization: $_" } 'Bearer', 'Bearer t0ken/+', 'Bearer t0ken/+==',
 'Bearer T0ken/+=', 't0ken/+=', 'Basic t0ken/+=', 'Bearer "t0ken/+="', 'Bearer t0ken/+= x']
--- error_code eval: [(401) x 9]
--- problem eval: ['credential_missing', ('credential_mismatch') x 8]
--- response_headers eval: [("$::bearer") x 9]


=== TEST 8: header: its name has no case, its value has
--- request eval: [("POST /header\n$::body") x 4]
--- more_headers eval
['X-Api-Key: s3cret-value', 'x-api-key: s3cret-value', 'X-API-KEY:   s3cret-value  ',
 'X-Api-Key: S3cret-value']
--- error_code eval: [(200) x 3, 401]
--- problem eval: [('') x 3, 'credential_mismatch']
--- response_body_like eval: [("^\Q$::accepted\E\$") x 3, 'credential_mismatch']


=== TEST 9: header: missing, empty and mismatching; there is no scheme to name
--- request eval: [("POST /header\n$::body") x 6]
--- more_headers eval
['Accept: */*', 'X-Api-Key:', 'X-Api-Key: s3cret-valu', 'X-Api-Key: s3cret-value2',
 'X-Api-Keys: s3cret-value', 'Authorization: Bearer s3cret-value']
--- error_code eval: [(401) x 6]
--- problem eval
['credential_missing', 'credential_mismatch', 'credential_mismatch', 'credential_mismatch',
 'credential_missing', 'credential_missing']
--- response_headers eval: [('!WWW-Authenticate') x 6]


=== TEST 10: Authorization can be such a header
--- config
location /legacy { codat_webhook zone=codat;
                   codat_credential header Authorization "Custom s3cret-value"; }
--- request eval: [("POST /legacy\n$::body") x 3]
--- more_headers eval
['Authorization: Custom s3cret-value', 'Authorization: Bearer s3cret-value', 'Accept: */*']
--- error_code eval: [200, 401, 401]
--- problem eval: ['', 'credential_mismatch', 'credential_missing']
--- response_body_like eval: ["^\Q$::accepted\E\$", 'mismatch', 'missing']


=== TEST 11: all kinds are alternatives of one another
--- request eval: [("POST /every\n$::body") x 6]
--- more_headers eval
['Authorization: ' . basic('codat', 'pa55-word:'), 'Authorization: ' . basic('codat', 'n3w-word'),
 'Authorization: Bearer t0ken/+=', 'Authorization: Custom s3cret-value',
 'X-Api-Key: s3cret-value', "Authorization: Bearer wrong\nX-Api-Key: s3cret-value"]
--- error_code eval: [(200) x 6]
--- response_body eval: [("$::accepted") x 6]


=== TEST 12: where none of several matches: missing only if nothing was sent
--- request eval: [("POST /every\n$::body") x 4]
--- more_headers eval
['Accept: */*', 'Authorization: Bearer n3w-word', 'X-Api-Key: t0ken/+=',
 "Authorization: Basic n3w-word\nX-Api-Key: Custom s3cret-value"]
--- error_code eval: [(401) x 4]
--- problem eval: ['credential_missing', ('credential_mismatch') x 3]
--- response_headers eval
[('WWW-Authenticate: Basic realm="codat", charset="UTF-8", Bearer realm="codat"') x 4]


=== TEST 13: each scheme has a WWW-Authenticate line of its own
--- request eval: "POST /every\n$::body"
--- error_code: 401
--- problem: credential_missing
--- raw_response_headers_like eval
qr/\r\nWWW-Authenticate: Basic realm="codat", charset="UTF-8"\r\nWWW-Authenticate: Bearer realm="codat"\r\n/


=== TEST 14: credentials of one kind do not serve another location
--- request eval: [map { "POST /$_\n$::body" } qw(basic bearer header)]
--- more_headers eval
['Authorization: Bearer t0ken/+=', "Authorization: " . basic('codat', 'pa55-word:'),
 'Authorization: Bearer t0ken/+=']
--- error_code eval: [(401) x 3]
--- problem eval: ['credential_mismatch', 'credential_mismatch', 'credential_missing']


=== TEST 15: the first of several equal headers counts
--- request eval: [("POST /header\n$::body") x 2]
--- more_headers eval
["X-Api-Key: s3cret-value\nX-Api-Key: wrong", "X-Api-Key: wrong\nX-Api-Key: s3cret-value"]
--- error_code eval: [200, 401]
--- problem eval: ['', 'credential_mismatch']
--- response_body_like eval: ["^\Q$::accepted\E\$", 'mismatch']


=== TEST 16: bytes that are not ASCII are compared as they are
--- config eval
qq{location /utf8 { codat_webhook zone=codat; codat_credential basic "j\xc3\xb6rg:p\xc3\xa4ss"; }}
--- request eval: [("POST /utf8\n$::body") x 2]
--- more_headers eval
['Authorization: ' . basic("j\xc3\xb6rg", "p\xc3\xa4ss"), 'Authorization: ' . basic("j\xf6rg", "p\xe4ss")]
--- error_code eval: [200, 401]
--- problem eval: ['', 'credential_mismatch']
--- response_body_like eval: ["^\Q$::accepted\E\$", 'mismatch']


=== TEST 17: refusals are logged at codat_log_level
--- config
location /basic { codat_webhook zone=codat; codat_log_level warn;
                  codat_credential basic codat:pa55-word:; }
--- request eval: "POST /basic\n$::body"
--- error_code: 401
--- problem: credential_missing
--- refused_at: warn
--- response_headers eval: $::basic


=== TEST 18: basic: base64 ends with its padding, what follows makes it malformed
--- request eval: [("POST /basic\n$::body") x 3]
--- more_headers eval
my $good = basic('codat', 'pa55-word:');
[map { "Authorization: $good$_" } '!', 'AAAA', '=']
--- error_code eval: [(401) x 3]
--- problem eval: [('credential_mismatch') x 3]
--- response_headers eval: [("$::basic") x 3]
