# the method, Content-Type and Content-Encoding of a webhook

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use CodatTest;
use CodatTest::Blocks;

our $body = '{"id":"e-1","eventType":"company.added","payload":{}}';
our $accepted = '{"id":"e-1","type":"company.added","result":"accepted"}';

my @secrets = ('t0ken');
my $http = "codat_zone zone=codat:1m dedupe=off;\n";
my $config = "location /open { codat_webhook zone=codat;
                               codat_credential none; }
              location /shut { codat_webhook zone=codat;
                               codat_credential bearer t0ken; }";

webhook_blocks(http => $http, config => $config, secrets => \@secrets,
               suppress_stderr => 1);

run_tests();

__DATA__

=== TEST 1: POST and PUT are taken
--- request eval: [map { "$_ /open\n$::body" } qw(POST PUT)]
--- error_code eval: [200, 200]
--- response_headers eval: [('!Allow') x 2]
--- response_body eval: [("$::accepted") x 2]


=== TEST 2: any other method is not, with or without a body
--- request eval
[(map { "$_ /open" } qw(GET DELETE OPTIONS PROPFIND PATCH FOO)),
 (map { "$_ /open\n$::body" } qw(GET DELETE PATCH COPY))]
--- error_code eval: [(405) x 10]
--- problem eval: [('method_not_allowed') x 10]
--- detail eval: [('^webhooks are sent with POST or PUT$') x 10]
--- response_headers eval: [('Allow: POST, PUT') x 10]


=== TEST 3: HEAD: the same without a body
--- request: HEAD /open
--- error_code: 405
--- response_headers
Allow: POST, PUT
Content-Type: application/problem+json
--- logged: \[error\] .* codat: webhook refused, code: method_not_allowed, webhooks are sent with POST or PUT, id: "", client
--- response_body


=== TEST 4: a wrong method is told before a missing credential
--- request eval: ["GET /shut", "DELETE /shut\n$::body", "POST /shut\n$::body"]
--- error_code eval: [405, 405, 401]
--- problem eval: [('method_not_allowed') x 2, 'credential_missing']
--- response_headers eval
[("Allow: POST, PUT\n!WWW-Authenticate") x 2, "!Allow\nWWW-Authenticate: Bearer realm=\"codat\""]


=== TEST 5: over HTTP/1.0 too
--- request eval: ["POST /open HTTP/1.0\n$::body", "GET /open HTTP/1.0"]
--- error_code eval: [200, 405]
--- problem eval: ['', 'method_not_allowed']
--- response_headers eval: ['!Allow', 'Allow: POST, PUT']
--- response_body_like eval: ["^\Q$::accepted\E\$", 'method_not_allowed']


=== TEST 6: Content-Type: JSON of any kind, or none
--- request eval: [("POST /open\n$::body") x 14]
--- more_headers eval
['Accept: */*', 'Content-Type:', map { "Content-Type: $_" }
 'application/json', 'Application/JSON', 'application/json; charset=utf-8', 'application/json;charset=utf-8',
 'application/json ; charset="utf-8"; x=y', 'application/json;', "application/json\t;x", 'application/cloudevents+json',
 'application/vnd.codat.event+json; v=1', 'application/x+JSON', 'application/a.b-c_d+json',
 'application/problem+json']
--- error_code eval: [(200) x 14]
--- response_body eval: [("$::accepted") x 14]


=== TEST 7: Content-Type: anything else
--- request eval: [("POST /open\n$::body") x 20]
--- more_headers eval
[map { "Content-Type: $_" }
 'text/plain', 'text/json', 'application/jsonp', 'application/json5', 'application/x-json', 'application/+json',
 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=application/json', 'json', '*/*',
 'application/xml;application/json', 'application/json, text/plain', 'text/x+json', 'xapplication/json',
 'application /json', '"application/json"', '; charset=utf-8', 'application/a/b+json',
 'application/a b+json', 'application/(x)+json']
--- error_code eval: [(415) x 20]
--- problem eval: [('unsupported_media_type') x 20]
--- detail eval: [('^Content-Type is neither application/json nor application/\*\+json$') x 20]
--- response_headers eval: [("!Allow\n!WWW-Authenticate") x 20]


=== TEST 8: Content-Encoding: identity, or none
--- request eval: [("PUT /open\n$::body") x 3]
--- more_headers eval: ['Content-Encoding: identity', 'content-encoding: Identity', 'Content-Encoding:']
--- error_code eval: [(200) x 3]
--- response_body eval: [("$::accepted") x 3]


=== TEST 9: Content-Encoding: anything else
--- request eval: [("POST /open\n$::body") x 8]
--- more_headers eval
[(map { "Content-Encoding: $_" } 'gzip', 'deflate', 'br', 'identity, gzip', 'gzip, identity', 'x', 'identity;q=1'),
 "Content-Encoding: identity\nContent-Encoding: gzip"]
--- error_code eval: [(415) x 8]
--- problem eval: [('unsupported_media_type') x 8]
--- detail eval: [('^Content-Encoding is not identity$') x 8]


=== TEST 10: a body that is really compressed is not read as JSON
--- request eval
use IO::Compress::Gzip;
IO::Compress::Gzip::gzip(\"$::body", \my $zipped);
"POST /open\n$zipped"
--- more_headers eval
IO::Compress::Gzip::gzip(\"$::body", \my $zipped);
"Content-Encoding: gzip\nContent-Length: " . length $zipped
--- error_code: 415
--- problem: unsupported_media_type


=== TEST 11: wrong Content-Type is told after a missing credential
--- request eval: [("POST /shut\n$::body") x 2]
--- more_headers eval
["Content-Type: text/plain", "Content-Type: text/plain\nAuthorization: Bearer t0ken"]
--- error_code eval: [401, 415]
--- problem eval: ['credential_missing', 'unsupported_media_type']


=== TEST 12: an error_page of the operator's does not hide the problem
--- config
error_page 405 415 /mine;
location /mine { return 200 mine; }
location /open { codat_webhook zone=codat; codat_credential none; }
--- request eval: ["GET /open", "POST /open\n$::body"]
--- more_headers eval: ['Accept: */*', 'Content-Type: text/plain']
--- error_code eval: [405, 415]
--- problem eval: ['method_not_allowed', 'unsupported_media_type']
--- response_headers eval: ['Allow: POST, PUT', '!Allow']
