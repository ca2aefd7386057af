# the method, Content-Type and Content-Encoding of a webhook

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use CodatTest;
use JSON::PP ();

our $body = '{"id":"e-1","eventType":"company.added","payload":{}}';
our $accepted = '{"id":"e-1","type":"company.added","result":"accepted"}';

my @secrets = ('t0ken');
my $http = "codat_zone zone=codat:1m dedupe=off;\n";
my $config = "location /open { codat_webhook zone=codat;
                               codat_credential none; }
              location /shut { codat_webhook zone=codat;
                               codat_credential bearer t0ken; }";

# "codat_credential none" warns of itself, on standard error too

add_block_preprocessor(sub { $_[0]->set_value(suppress_stderr => '') });

# A block says with "--- problem: CODE" (one per request where there are
# several, empty for those that are accepted) what was refused: the body, its
# type and one line of the log are checked, at the level of "--- refused_at".
# "--- detail" is a pattern for the detail.  Nothing else is logged but what
# "--- logged" is a pattern for.  Secrets never show up.

my @quiet = ('[alert]', '[crit]', '[emerg]', 'open socket', @secrets);
my $logged;

master_on();
log_level('info');

sub of {
    my ($block, $section, $n) = @_;
    my $value = $block->$section;

    return ref $value eq 'ARRAY' ? $value->[$n] : $value;
}

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value(http_config => $http) if !defined $block->http_config;
    $block->set_value(config => $config) if !defined $block->config;
    $block->set_value(no_error_log => \@quiet) if !defined $block->no_error_log;
    $block->set_value(no_shutdown_error_log => \@quiet);

    my $list = $block->pipelined_requests // $block->request;
    my $requests = ref $list ? @$list : 1;
    my @headers = map {
        my $problem = of($block, 'problem', $_) ? 'problem+' : '';
        my $given = of($block, 'response_headers', $_) // '';
        $given =~ /^Content-Type:/m ? $given
            : "Content-Type: application/${problem}json\n$given";
    } 0 .. $requests - 1;

    $block->set_value(response_headers => $requests > 1 ? \@headers
                                                        : $headers[0]);
});

add_response_body_check(sub {
    my ($block, $body, $n, $repeated) = @_;
    my $name = $block->name;
    my $code = of($block, 'problem', $n);

    open(my $log, '<', server_root() . '/logs/error.log') or die "log: $!\n";
    my $more = $n || $repeated || $ENV{TEST_NGINX_USE_HUP};
    seek($log, $more ? $logged // 0 : 0, 0);
    my @lines = grep { !/\[(?:info|notice)\]/ || /codat:/ }
        grep { !/"codat_credential none"/ } <$log>;
    $logged = tell($log);

    if (my $expected = of($block, 'logged', $n)) {
        ok(@lines && $lines[0] =~ /$expected/, "$name - logged ($n)")
            or diag(@lines);
        shift @lines while @lines && $lines[0] =~ /$expected/;
    }

    if (!$code) {
        is(CORE::join('', @lines), '', "$name - log ($n)")
            if !$block->pipelined_requests;
        return;
    }

    my $status = of($block, 'error_code', $n);
    my $detail = of($block, 'detail', $n) // '\w';
    my $level = of($block, 'refused_at', $n) // 'error';
    my $json = eval { JSON::PP->new->utf8->decode($body) } // {};
    my $said = $json->{detail} // '';

    is_deeply([CORE::sort keys %$json], [qw(code detail status title)],
              "$name - keys ($n)");
    is("$json->{status} $json->{code}", "$status $code", "$name - code ($n)");
    like($json->{title}, qr/^[A-Z].*\w$/, "$name - title ($n)");
    like($said, qr/$detail/, "$name - detail ($n)");

    return if $block->pipelined_requests;

    is(scalar @lines, 1, "$name - one line of log ($n)") or diag(@lines);
    like($lines[0] // '', qr/\ \[$level\]\ \S+\ \*\d+\ codat:\ webhook\ refused,
                             \ code:\ $code,\ \Q$said\E,\ id:\ "/x,
         "$name - log ($n)");
});


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
