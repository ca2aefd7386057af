# secrets that come out of variables: one endpoint for several clients

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use CodatTest;
use CodatTest::Blocks;

our $secret = 'whsec_b25lIHNlY3JldCBvZiAzMiBieXRlcyBsZW5ndGggIQ==';
our $other = 'whsec_b3RoZXIgc2VjcmV0IG9mIDMyIGJ5dGVzIGxlbmd0aCE=';
our ($private, $public) = keypair();
our $body = '{"id":"e-1","eventType":"invoices.write.successful","payload":{}}';
our $accepted
    = '{"id":"e-1","type":"invoices.write.successful","result":"accepted"}';

my @secrets = ('t0ken', 'pa55', 's3cret', 'n0t-base64',
               map { s/^wh[a-z]+_//r } $secret, $other, $public);
my $http = "codat_zone zone=codat:1m dedupe=off;
            map \$http_x_codat_clientid \$secret {
                one   $secret;
                two   $other;
                three $public;
                four  n0t-base64!;
                five  whsec_;
                six   whsec_c2hvcnQ=;
                seven c2hvcnQ=;
            }
            map \$http_x_codat_clientid \$token { one t0ken-1; two t0ken-2; }
            map \$http_x_codat_clientid \$user { one me:pa55; two me:; three :pa55; four me; }
            map \$http_x_codat_clientid \$password { one pa55; }
";
my $config = 'location /webhook { codat_webhook zone=codat;
                                  codat_credential signature $secret; }
              location /bearer { codat_webhook zone=codat;
                                 codat_credential bearer $token; }
              location /header { codat_webhook zone=codat;
                                 codat_credential header X-Key s3cret-$token; }
              location /basic { codat_webhook zone=codat;
                                codat_credential basic $user; }
              location /password { codat_webhook zone=codat;
                                   codat_credential basic me:$password; }';

webhook_blocks(http => $http, config => $config, secrets => \@secrets);

run_tests();

__DATA__

=== TEST 1: signature: each client has its own secret, of either kind
--- request eval: [("POST /webhook\n$::body") x 4]
--- more_headers eval
my @clients = (one => $::secret, two => $::other, three => $::private, six => 'c2hvcnQ=');
[map { signed_headers($clients[2 * $_ + 1], $::body) . "X-Codat-ClientId: $clients[2 * $_]" } 0 .. 3]
--- error_code eval: [(200) x 4]
--- response_body eval: [("$::accepted") x 4]


=== TEST 2: signature: one client's secret does not sign for another
--- request eval: [("POST /webhook\n$::body") x 3]
--- more_headers eval
my @clients = (one => $::other, two => $::secret, three => $::secret);
[map { signed_headers($clients[2 * $_ + 1], $::body) . "X-Codat-ClientId: $clients[2 * $_]" } 0 .. 2]
--- error_code eval: [(401) x 3]
--- problem eval: [('signature_mismatch') x 3]


=== TEST 3: signature: an empty value never matches, not even the empty key's signature
--- request eval: [("POST /webhook\n$::body") x 3]
--- more_headers eval
[signed_headers('', $::body), signed_headers('', $::body) . 'X-Codat-ClientId: unheard-of',
 signed_headers($::secret, $::body)]
--- error_code eval: [(401) x 3]
--- problem eval: [('signature_mismatch') x 3]


=== TEST 4: signature: a value that is no secret matches nothing, and is an error without its text
--- request eval: "POST /webhook\n$::body"
--- more_headers eval: signed_headers($::secret, $::body) . 'X-Codat-ClientId: four'
--- error_code: 401
--- problem: signature_mismatch
--- logged: \[error\] .* codat: the variables of codat_credential signature yield a secret that is not base64, client: 127


=== TEST 5: signature: a bare "whsec_" at run time is empty
--- request eval: "POST /webhook\n$::body"
--- more_headers eval: signed_headers('', $::body) . 'X-Codat-ClientId: five'
--- error_code: 401
--- problem: signature_mismatch
--- logged: \[error\] .* codat: the variables of codat_credential signature yield a secret that is empty, client: 127


=== TEST 6: signature: beside a fixed secret, whatever the variable holds
--- config eval
'location /webhook { codat_webhook zone=codat; codat_credential signature $secret;
                     codat_credential signature ' . $::other . '; }'
--- request eval: [("POST /webhook\n$::body") x 2]
--- more_headers eval
[signed_headers($::other, $::body), signed_headers($::secret, $::body) . 'X-Codat-ClientId: one']
--- error_code eval: [(200) x 2]
--- response_body eval: [("$::accepted") x 2]


=== TEST 7: bearer: each client has its own token
--- request eval: [("POST /bearer\n$::body") x 4]
--- more_headers eval
[map { "X-Codat-ClientId: $_->[0]\nAuthorization: Bearer $_->[1]" }
 ['one', 't0ken-1'], ['two', 't0ken-2'], ['one', 't0ken-2'], ['two', '']]
--- error_code eval: [200, 200, 401, 401]
--- problem eval: ['', '', ('credential_mismatch') x 2]
--- response_body_like eval: [("^\Q$::accepted\E\$") x 2, ('mismatch') x 2]


=== TEST 8: bearer: an empty value never matches
--- request eval: [("POST /bearer\n$::body") x 3]
--- more_headers eval: ['Authorization: Bearer', 'Authorization: Bearer  ', 'X-Codat-ClientId: nobody']
--- error_code eval: [(401) x 3]
--- problem eval: ['credential_mismatch', 'credential_mismatch', 'credential_missing']
--- response_headers eval: [('WWW-Authenticate: Bearer realm="codat"') x 3]


=== TEST 9: header: variables within text
--- request eval: [("POST /header\n$::body") x 3]
--- more_headers eval
[map { "X-Codat-ClientId: $_->[0]\nX-Key: $_->[1]" }
 ['one', 's3cret-t0ken-1'], ['two', 's3cret-t0ken-1'], ['one', 's3cret-$token']]
--- error_code eval: [200, 401, 401]
--- problem eval: ['', ('credential_mismatch') x 2]
--- response_body_like eval: ["^\Q$::accepted\E\$", ('mismatch') x 2]


=== TEST 10: basic: the whole of USER:PASSWORD in a variable
--- request eval: [("POST /basic\n$::body") x 2]
--- more_headers eval
[map { "X-Codat-ClientId: $_->[0]\nAuthorization: " . basic(@$_[1, 2]) }
 ['one', 'me', 'pa55'], ['one', 'me', 'pa5']]
--- error_code eval: [200, 401]
--- problem eval: ['', 'credential_mismatch']
--- response_body_like eval: ["^\Q$::accepted\E\$", 'mismatch']


=== TEST 11: basic: without a user, a password or a colon nothing matches
--- request eval: [("POST /basic\n$::body") x 4]
--- more_headers eval
my @bytes = ('', 'bWU6', 'OnBhNTU=', 'bWU=');
[map { "X-Codat-ClientId: $_->[0]\nAuthorization: Basic $_->[1]" }
 ['none', 'Og=='], ['two', 'bWU6'], ['three', 'OnBhNTU='], ['four', 'bWU=']]
--- error_code eval: [(401) x 4]
--- problem eval: [('credential_mismatch') x 4]


=== TEST 12: basic: an empty password never matches
--- request eval: [("POST /password\n$::body") x 2]
--- more_headers eval
['Authorization: ' . basic('me', ''), "X-Codat-ClientId: one\nAuthorization: " . basic('me', 'pa55')]
--- error_code eval: [401, 200]
--- problem eval: ['credential_mismatch', '']
--- response_body_like eval: ['mismatch', "^\Q$::accepted\E\$"]


=== TEST 13: a variable is read anew for each request of a connection
--- pipelined_requests eval
[("POST /bearer\n$::body") x 3]
--- more_headers eval
[map { "X-Codat-ClientId: $_->[0]\nAuthorization: Bearer $_->[1]" }
 ['one', 't0ken-1'], ['two', 't0ken-1'], ['two', 't0ken-2']]
--- error_code eval: [200, 401, 200]
--- problem eval: ['', 'credential_mismatch', '']
--- response_body_like eval: ["^\Q$::accepted\E\$", 'mismatch', "^\Q$::accepted\E\$"]
