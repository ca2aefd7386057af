# Forwards: which ones an event needs, what the application is sent, what
# becomes of its answer.

use strict;
use warnings;

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use CodatTest;
use Time::HiRes ();

# the application: the first part of the path says what it does

our $big = 'leak-' x 600_000;

our $app = CodatTest::Upstream->new(handler => sub {
    my $request = shift;

    my ($what, $value) = $request->{uri} =~ m{^/([\w.]+)(?:/([\w.]+))?};
    my @leak = (['webhook-delivery', 'disable'], ['X-App', 'leak'],
                ['Set-Cookie', 'leak=1'], ['Content-Type', 'text/leak'],
                ['ETag', '"leak"'], ['WWW-Authenticate', 'Basic realm=leak']);

    return { status => $value, body => 'leak', headers => \@leak }
        if $what eq 'status';
    return { delay => $value } if $what eq 'slow';
    return { status => 503, headers => [['Retry-After', '120'], @leak] }
        if $what eq 'later';
    return { status => 503, headers => [
             ['Retry-After', 'Fri, 31 Dec 2038 23:59:59 GMT']] }
        if $what eq 'date';
    return { status => 500, headers => [['Retry-After', '77']] }
        if $what eq 'hint';
    return { body => $big, headers => \@leak } if $what eq 'huge';
    return { body => $big, headers => \@leak, no_length => 1 }
        if $what eq 'endless';
    return { raw => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
             . "X-App: leak\r\n\r\n" . ("5\r\nleak!\r\n" x 5000)
             . "0\r\n\r\n" }
        if $what eq 'chunked';
    return { reset => 1 } if $what eq 'reset';
    return { raw => "not HTTP at all\r\n\r\n" } if $what eq 'garbage';
    return { status => 403 } if $what eq 'deny';
    return { status => 204 };
});

our $spare = CodatTest::Upstream->new(answer => { status => 200 });
our $gone = CodatTest::Upstream->new;
$gone->stop;

$ENV{TEST_NGINX_APP} = $app->address;
$ENV{TEST_NGINX_SPARE} = $spare->address;
$ENV{TEST_NGINX_GONE} = $gone->address;

our $secret = new_secret();
our ($payload, $connection);
$ENV{TEST_NGINX_SECRET} = $secret;


# Sections of ours: "seen" is given what the application got of one request,
# "uris" are their sorted URIs, for each request a list; "await" are texts that
# the error log must have before it is looked at.

add_block_preprocessor(sub {
    my $block = shift;

    $app->reset;
    $spare->reset;

    $block->set_value('http_config', CORE::join("\n",
        'codat_zone zone=codat:1m;', 'codat_credential bearer sesame;',
        $block->http_config // ''));

    $block->set_value('more_headers', 'Authorization: Bearer sesame')
        unless defined $block->more_headers;

    $block->set_value('no_error_log', CORE::join("\n", '[alert]', '[crit]',
        '[emerg]', 'count is zero', defined $block->error_log ? () : '[error]'))
        unless defined $block->no_error_log;

    $block->set_value('no_shutdown_error_log',
                      "[alert]\nopen socket\n[crit]");
});

add_response_body_check(sub {
    my ($block, $body, $index) = @_;

    my @seen = $app->requests;
    my $name = $block->name;

    $block->seen->(@seen) if $block->seen;

    Test::More::is_deeply([CORE::sort map { $_->{uri} } @seen],
                          $block->uris->[$index],
                          "$name - forwarded to (req $index)")
        if $block->uris;

    $app->reset;

    # what ends only after the answer
    for my $text (CORE::split(/\n/, $block->await // '')) {
        my $until = time + slow(10);
        Time::HiRes::sleep(0.02)
            until index(logged(), $text) >= 0 || time > $until;
    }
});


sub logged {
    open(my $fh, '<', $Test::Nginx::Util::ErrLogFile) or return '';
    local $/;
    return scalar(<$fh>) // '';
}


master_on();
no_long_string();
run_tests();

__DATA__

=== TEST 1: all forwards whose pattern matches run, others do not
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward invoices.write.successful              /app/exact;
    codat_forward *.write.*                              /app/write;
    codat_forward connection.*                           /app/connection;
    codat_forward InVoices.WRITE.sUccessful              /app/case;
    codat_forward bills.write.*,invoices.write.*,read.*  /app/list;
    codat_forward *                                      /app/all;
    codat_forward *.successful                           /app/end;
    codat_forward invoices.*                             /app/begin;
    codat_forward invoices.write                         /app/too-short;
    codat_forward *.*.*.*                                /app/four;
    codat_forward invoices.write.successful.*            /app/too-long;
    codat_forward unknown                                /app/unknown;
}
location /app/ { internal; proxy_pass http://$TEST_NGINX_APP/; }
--- request eval
[
    "POST /hook\n" . body('invoices.write.successful'),
    "POST /hook\n" . body('PushOperationStatusChanged', status => 'Success'),
    "POST /hook\n" . body('bills.write.unsuccessful'),
    "POST /hook\n" . body('connection.deleted'),
    "POST /hook\n" . body('read.completed.successful.initial'),
    "POST /hook\n" . '{"eventType":"somethingNew","id":"n"}',
    "POST /hook\n" . '{"a":"nobody can name this"}',
    "PUT /hook\n" . body('INVOICES.write.SUCCESSFUL'),
    "POST /hook\n" . '{"eventType":"xinvoices.write.successful","id":"x"}',
]
--- error_code eval
[(200) x 9]
--- uris eval
my @invoice = map { "/$_" } qw(all begin case end exact list write);
[
    \@invoice,
    \@invoice,
    [qw(/all /list /write)],
    [qw(/all /connection)],
    [qw(/all /four /list)],
    [qw(/all)],
    [qw(/all /unknown)],
    \@invoice,
    [qw(/all /end /write)],
]



=== TEST 2: an event that no pattern wants is accepted without the application
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward connection.* /app/;
}
location /app/ { internal; proxy_pass http://$TEST_NGINX_APP/; }
--- request eval
"POST /hook\n" . body('company.created', event_id => 'evt-2')
--- response_headers
Content-Type: application/json
--- response_body chomp
{"id":"evt-2","type":"company.created","result":"accepted"}
--- uris eval
[[]]



=== TEST 3: forwards run in parallel, the slowest one sets the time
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /app/slow/1.5?1;
    codat_forward * /app/slow/1.5?2;
    codat_forward * /app/slow/1.5?3;
    codat_forward * /app/slow/1.5?4;
    codat_forward * /app/slow/1.5?5;
}
location /app/ { internal; proxy_pass http://$TEST_NGINX_APP/; }
--- request eval
"POST /hook\n" . body('company.created')
--- timeout: 5
--- response_body_like: "result":"accepted"
--- uris eval
[[map { "/slow/1.5?$_" } 1 .. 5]]
--- seen eval
sub {
    my @times = CORE::sort { $a <=> $b } map { $_->{time} } @_;
    Test::More::cmp_ok($times[-1] - $times[0], '<', 1.5,
                       'all had come before the first was answered');
}



=== TEST 4: the request is a POST with these headers and no others
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_credential bearer sesame;
    codat_credential header X-Custom-Key s3cret;
    codat_credential signature $TEST_NGINX_SECRET;
    codat_forward * /app/plain;
}
location /app/ { internal; proxy_pass http://$TEST_NGINX_APP/; }
--- request eval
$::payload = body('company.created', event_id => 'evt-4');
"PUT /hook\n$::payload"
--- more_headers eval
CORE::join '', signed_headers($::secret, $::payload, id => 'msg_4'),
    "Authorization: Bearer sesame\n", "X-Custom-Key: s3cret\n",
    "X-Codat-ClientId: client-4\n", "Content-Type: application/json\n",
    "User-Agent: Svix-Webhooks/1.0\n", "Cookie: a=b\n", "X-Other: 1\n",
    "Accept-Encoding: gzip\n", "svix-id: msg_other\n"
--- response_body chomp
{"id":"evt-4","type":"company.created","result":"accepted"}
--- seen eval
sub {
    my $request = shift;
    Test::More::is($request->{method}, 'POST', 'POST, though it was PUT');
    Test::More::like(CORE::join(' ', CORE::sort map { lc $_->[0] }
                                @{$request->{headers}}),
        qr/^(connection )?content-length content-type host webhook-id$/,
        'no header but these, each once');
    Test::More::is($request->header('webhook-id'), 'msg_4', 'webhook-id');
    Test::More::is($request->header('content-type'),
                   'application/cloudevents+json', 'type');
    Test::More::is($request->header('content-length'),
                   length $request->{body}, 'length');
    Test::More::is($request->json->{webhookid}, 'msg_4', 'body');
    Test::More::unlike($request->{body}, qr/sesame|s3cret|whsec/,
                       'no credential in the body');
}



=== TEST 5: variables of the application's location do not see the credentials
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /app/plain;
}
location /app/ {
    internal;
    proxy_set_header X-Seen "$http_authorization,$remote_user,$http_cookie";
    proxy_set_header X-Host $host;
    proxy_set_header X-Length $content_length;
    proxy_set_header X-Type $content_type;
    proxy_pass http://$TEST_NGINX_APP/;
}
--- request eval
"POST /hook\n" . body('company.created')
--- more_headers
Authorization: Bearer sesame
Cookie: a=b
--- seen eval
sub {
    my $request = shift;
    Test::More::is($request->header('x-seen'), ',,', 'nothing');
    Test::More::is($request->header('x-host'), 'localhost', 'Host is kept');
    Test::More::is($request->header('x-type'),
                   'application/cloudevents+json', '$content_type');
    Test::More::is($request->header('x-length'), length $request->{body},
                   '$content_length');
}



=== TEST 6: nothing of the application's answer reaches Codat
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /app/$arg_do;
}
location /app/ { internal; proxy_pass http://$TEST_NGINX_APP/; }
--- request eval
[map { "POST /hook?do=$_\n" . body('company.created', event_id => 'evt-6') }
    'status/200', 'status/201', 'status/202', 'status/207', 'status/299',
    'huge', 'endless', 'chunked']
--- more_headers eval
[map { "Authorization: Bearer sesame\nwebhook-id: msg_6_$_" } 1 .. 8]
--- error_code eval
[(200) x 8]
--- response_headers eval
[(CORE::join("\n", 'Content-Type: application/json', 'Content-Length: 59',
             '!webhook-delivery', '!X-App', '!Set-Cookie', '!ETag',
             '!WWW-Authenticate', '!Transfer-Encoding')) x 8]
--- response_body eval
[('{"id":"evt-6","type":"company.created","result":"accepted"}') x 8]
--- uris eval
[map { ["/$_"] } 'status/200', 'status/201', 'status/202', 'status/207',
    'status/299', 'huge', 'endless', 'chunked']



=== TEST 7: a large answer is thrown away, not stored in a file
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /app/huge;
    codat_forward * /app/endless;
}
location /app/ { internal; proxy_pass http://$TEST_NGINX_APP/; }
--- request eval
"POST /hook\n" . body('company.created', event_id => 'evt-7')
--- response_body chomp
{"id":"evt-7","type":"company.created","result":"accepted"}
--- no_error_log
is buffered to a temporary file
[alert]
[crit]
[error]



=== TEST 8: a large answer needs no file
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward_timeout 10s;
    codat_forward * /app/huge;
    codat_forward * /app/endless;
}
location /app/ {
    internal;
    proxy_max_temp_file_size 0;
    proxy_pass http://$TEST_NGINX_APP/;
}
--- request eval
"POST /hook\n" . body('company.created', event_id => 'evt-7')
--- timeout: 15
--- response_body chomp
{"id":"evt-7","type":"company.created","result":"accepted"}



=== TEST 9: 204, and an answer of nginx itself, are success too
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /app/status/204;
    codat_forward * /empty;
    codat_forward * /created;
    codat_forward * /text;
}
location /app/ { internal; proxy_pass http://$TEST_NGINX_APP/; }
location = /empty { internal; return 204; }
location = /created { internal; return 201; }
location = /text { internal; add_header X-App leak; return 200 leak; }
--- request eval
"POST /hook\n" . body('company.created', event_id => 'evt-7')
--- response_headers
!X-App
--- response_body chomp
{"id":"evt-7","type":"company.created","result":"accepted"}
--- uris eval
[['/status/204']]



=== TEST 10: whatever is not 2xx becomes 502, and nothing of it leaks
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /app/status/$arg_s;
}
location /app/ { internal; proxy_pass http://$TEST_NGINX_APP/; }
--- request eval
[map { "POST /hook?s=$_\n" . body('company.created') }
    qw(301 302 304 400 401 404 410 413 429 500 502 503 504)]
--- error_code eval
[(502) x 13]
--- response_headers eval
[(CORE::join("\n", 'Content-Type: application/problem+json',
             '!webhook-delivery', '!X-App', '!Set-Cookie', '!Location',
             '!Retry-After', '!ETag', '!WWW-Authenticate')) x 13]
--- response_body eval
[map { '{"title":"The application did not accept the event","status":502,'
       . '"detail":"the forward to \"/app/status/$arg_s\" was answered with '
       . 'status ' . $_ . '","code":"forward_failed"}' }
    qw(301 302 304 400 401 404 410 413 429 500 502 503 504)]
--- error_log
codat: forward to "/app/status/$arg_s" failed, status: 
--- uris eval
[map { ["/status/$_"] }
    qw(301 302 304 400 401 404 410 413 429 500 502 503 504)]



=== TEST 11: 3xx to 5xx of nginx itself become 502
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /own/$arg_s;
}
location = /own/301 { internal; return 301 /elsewhere; }
location = /own/403 { internal; return 403; }
location = /own/444 { internal; return 444; }
location = /own/500 { internal; return 500; }
--- request eval
[map { "POST /hook?s=$_\n" . body('company.created') } qw(301 403 404 444 500)]
--- error_code eval
[(502) x 5]
--- response_headers eval
[("Content-Type: application/problem+json\n!Location") x 5]
--- response_body_like eval
[map { qr/with status $_"/ } qw(301 403 404 444 500)]
--- error_log
codat: forward to
--- no_error_log
[alert]
[crit]



=== TEST 12: Retry-After is passed on with 502, in seconds and as a date
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /app/$arg_do;
}
location /app/ { internal; proxy_pass http://$TEST_NGINX_APP/; }
--- request eval
[map { "POST /hook?do=$_\n" . body('company.created') } qw(later date)]
--- error_code eval
[502, 502]
--- response_headers eval
["Retry-After: 120\n!X-App\n!webhook-delivery",
 "Retry-After: Fri, 31 Dec 2038 23:59:59 GMT"]
--- response_body_like eval
[(qr/"code":"forward_failed"/) x 2]
--- error_log
codat: forward to



=== TEST 13: Retry-After of an optional forward is ignored like its failure
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /app/hint optional;
    codat_forward * /app/slow/0.4;
    codat_forward * /late;
}
location /app/ { internal; proxy_pass http://$TEST_NGINX_APP/; }
location = /late { internal; proxy_pass http://$TEST_NGINX_APP/status/500; }
--- request eval
"POST /hook\n" . body('company.created')
--- error_code: 502
--- response_headers
!Retry-After
--- response_body_like: "code":"forward_failed"
--- error_log
forward to "/app/hint" failed



=== TEST 14: optional forwards may fail, in every way
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /app/status/500 optional;
    codat_forward * /app/garbage optional;
    codat_forward * /app/reset optional;
    codat_forward * /gone optional;
    codat_forward * /nowhere optional;
    codat_forward * /app/status/200;
}
location /app/ { internal; proxy_pass http://$TEST_NGINX_APP/; }
location = /gone { internal; proxy_pass http://$TEST_NGINX_GONE; }
--- request eval
"POST /hook\n" . body('company.created', event_id => 'evt-12')
--- response_body chomp
{"id":"evt-12","type":"company.created","result":"accepted"}
--- await
forward to "/app/status/500" failed, status: 500
forward to "/app/garbage" failed, status: 
forward to "/app/reset" failed, status: 502
forward to "/gone" failed, status: 502
forward to "/nowhere" failed, status: 404
--- error_log
forward to "/app/status/500" failed, status: 500
forward to "/app/garbage" failed, status: 
forward to "/app/reset" failed, status: 502
forward to "/gone" failed, status: 502
forward to "/nowhere" failed, status: 404



=== TEST 15: optional forwards alone leave the webhook accepted
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /app/status/500 optional;
}
location /app/ { internal; proxy_pass http://$TEST_NGINX_APP/; }
--- request eval
"POST /hook\n" . body('company.created', event_id => 'evt-13')
--- response_body chomp
{"id":"evt-13","type":"company.created","result":"accepted"}
--- await
forward to "/app/status/500" failed, status: 500
--- error_log
forward to "/app/status/500" failed, status: 500



=== TEST 16: a slow optional forward does not hold up the answer
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /app/slow/20 optional;
    codat_forward * /app/status/200;
}
location /app/slow/ {
    internal;
    proxy_read_timeout 1s;
    proxy_pass http://$TEST_NGINX_APP/slow/;
}
location /app/ { internal; proxy_pass http://$TEST_NGINX_APP/; }
--- request eval
"POST /hook\n" . body('company.created', event_id => 'evt-14')
--- timeout: 5
--- response_headers
Connection: close
--- response_body chomp
{"id":"evt-14","type":"company.created","result":"accepted"}
--- await
forward to "/app/slow/20" failed, status: 504
--- error_log
forward to "/app/slow/20" failed, status: 504



=== TEST 17: if= runs a forward unless its value is empty or 0
--- http_config
map $codat_company_name $wanted {
    default 0;
    Finch   1;
    Owl     "";
    Wren    no;
}
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /app/wanted if=$wanted;
    codat_forward connection.* /app/both if=$wanted;
    codat_forward * /app/text if=$codat_push_key;
    codat_forward * /app/never if=0;
    codat_forward * /app/zeroes if=00;
}
location /app/ { internal; proxy_pass http://$TEST_NGINX_APP/; }
--- request eval
[
    "POST /hook\n" . body('company.created', company_name => 'Finch'),
    "POST /hook\n" . body('company.created', company_name => 'Owl'),
    "POST /hook\n" . body('company.created', company_name => 'Robin'),
    "POST /hook\n" . body('company.created', company_name => 'Wren'),
    "POST /hook\n" . body('connection.created', company_name => 'Finch'),
    "POST /hook\n" . body('bills.write.successful', company_name => 'Owl'),
]
--- error_code eval
[(200) x 6]
--- uris eval
[
    [qw(/wanted /zeroes)],
    [qw(/zeroes)],
    [qw(/zeroes)],
    [qw(/wanted /zeroes)],
    [qw(/both /wanted /zeroes)],
    [qw(/text /zeroes)],
]



=== TEST 18: variables in the path and in the arguments, encoded where they stand
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /app/$codat_company_id/x?name=$codat_company_name&t=${codat_event_type}_&fixed=a%20b&none=$codat_push_key;
}
location /app/ { internal; proxy_pass http://$TEST_NGINX_APP/; }
--- request eval
[
    "POST /hook\n" . body('company.created', company => 'c1',
        company_name => 'Finch & Söhne=1#2?3+4/5%6 "x"'),
    "POST /hook\n" . body('company.created', company => 'a b?c#d%2e%2e&e',
        company_name => "two\r\nlines"),
]
--- uris eval
[
    ['/c1/x?name=Finch%20%26%20S%C3%B6hne%3D1%232%3F3%2B4%2F5%256%20%22x%22'
     . '&t=company.created_&fixed=a%20b&none='],
    ['/a%20b%3Fc%23d%252e%252e&e/x?name=two%0D%0Alines'
     . '&t=company.created_&fixed=a%20b&none='],
]
--- error_code eval
[200, 200]



=== TEST 19: a path that a payload leads elsewhere is refused, others still run
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /app/$codat_company_id/push;
    codat_forward * /app/other;
}
location /app/ { internal; proxy_pass http://$TEST_NGINX_APP/; }
location /secret { internal; proxy_pass http://$TEST_NGINX_APP/secret; }
--- request eval
[map { "POST /hook\n" . body('company.created', company => $_) }
    '../../secret', '..', '.', 'a/../../secret', 'a/..', './x']
--- error_code eval
[(502) x 6]
--- response_body eval
[('{"title":"The application did not accept the event","status":502,"detail":'
  . '"the forward to \"/app/$codat_company_id/push\" could not be sent",'
  . '"code":"forward_failed"}') x 6]
--- uris eval
[(['/other']) x 6]
--- error_log
codat: the variables of codat_forward "/app/$codat_company_id/push" yield an unsafe URI



=== TEST 20: dots that are not a whole segment are harmless
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /app/$codat_company_id/push;
}
location /app/ { internal; proxy_pass http://$TEST_NGINX_APP/; }
--- request eval
[map { "POST /hook\n" . body('company.created', company => $_) }
    '...', '.a', 'a..', '..%2f..']
--- error_code eval
[(200) x 4]
--- uris eval
[['/.../push'], ['/.a/push'], ['/a../push'], ['/..%252f../push']]



=== TEST 21: a target may be a variable that yields a path
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * $arg_to;
}
location /app/ { internal; proxy_pass http://$TEST_NGINX_APP/; }
--- request eval
"POST /hook?to=/app/good\n" . body('company.created')
--- response_body_like: "result":"accepted"
--- uris eval
[['/good']]



=== TEST 22: a target that is a variable and yields no path is refused
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * $arg_to;
}
location /app/ { internal; proxy_pass http://$TEST_NGINX_APP/; }
location @named { proxy_pass http://$TEST_NGINX_APP; }
--- request eval
["POST /hook\n" . body('company.created'),
 "POST /hook?to=http://127.0.0.1/\n" . body('company.created'),
 "POST /hook?to=app/x\n" . body('company.created'),
 "POST /hook?to=\@named\n" . body('company.created')]
--- error_code eval
[(502) x 4]
--- response_body_like eval
[('could not be sent","code":"forward_failed"') x 4]
--- uris eval
[([]) x 4]
--- error_log
codat: the variables of codat_forward "$arg_to" yield an unsafe URI



=== TEST 23: named locations get the event
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * @one;
    codat_forward * @two;
}
location @one { proxy_pass http://$TEST_NGINX_APP; }
location @two {
    rewrite ^ /two/$codat_event_type break;
    proxy_pass http://$TEST_NGINX_APP;
}
--- request eval
"POST /hook?arg=1\n" . body('company.created', event_id => 'evt-20')
--- response_body chomp
{"id":"evt-20","type":"company.created","result":"accepted"}
--- uris eval
[['/hook', '/two/company.created']]
--- seen eval
sub {
    Test::More::is($_->json->{id}, 'evt-20', "body to $_->{uri}") for @_;
    Test::More::is($_->{method}, 'POST', "method to $_->{uri}") for @_;
}



=== TEST 24: a named location that fails is a failed forward
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * @down;
}
location @down { proxy_pass http://$TEST_NGINX_GONE; }
--- request eval
"POST /hook\n" . body('company.created')
--- error_code: 502
--- response_body_like: "detail":"the forward to ..@down.. was answered with status 502"
--- error_log
connect() failed
forward to "@down" failed, status: 502



=== TEST 25: connections that the upstream keeps alive are used again
--- http_config
upstream kept { server $TEST_NGINX_APP; keepalive 4; }
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /app/plain;
}
location /app/ {
    internal;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_pass http://kept/;
}
--- request eval
[map { "POST /hook\n" . body('company.created') } 1 .. 4]
--- error_code eval
[(200) x 4]
--- seen eval
sub {
    my $request = shift;
    $::connection //= $request->{connection};
    Test::More::is($request->{connection}, $::connection,
                   'on the first connection');
}



=== TEST 26: a refused connection is a 502
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /gone;
}
location = /gone { internal; proxy_pass http://$TEST_NGINX_GONE; }
--- request eval
"POST /hook\n" . body('company.created')
--- error_code: 502
--- response_headers
Content-Type: application/problem+json
!Retry-After
--- response_body_like: "status":502,"detail":"the forward to ..\/gone.. was answered with status 502","code":"forward_failed"
--- error_log
connect() failed
codat: forward to "/gone" failed, status: 502



=== TEST 27: a reset instead of an answer is a 502
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /app/reset;
}
location /app/ { internal; proxy_pass http://$TEST_NGINX_APP/; }
--- request eval
"POST /hook\n" . body('company.created')
--- error_code: 502
--- response_body_like: was answered with status 502","code":"forward_failed"
--- uris eval
[['/reset']]
--- error_log
forward to "/app/reset" failed, status: 502



=== TEST 28: an answer that is not HTTP is a failure
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /app/garbage;
}
location /app/ { internal; proxy_pass http://$TEST_NGINX_APP/; }
--- request eval
"POST /hook\n" . body('company.created')
--- error_code: 502
--- response_body_like: was answered with status \d+","code":"forward_failed"
--- uris eval
[['/garbage']]
--- error_log
upstream sent no valid HTTP/1.0 header
forward to "/app/garbage" failed



=== TEST 29: error_page of the application's location decides on the outcome
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /gone;
    codat_forward * /refused;
}
location = /gone {
    internal;
    error_page 502 = @spare;
    proxy_pass http://$TEST_NGINX_GONE;
}
location = /refused {
    internal;
    proxy_intercept_errors on;
    error_page 404 = @spare;
    proxy_pass http://$TEST_NGINX_APP/status/404;
}
location @spare { proxy_pass http://$TEST_NGINX_SPARE; }
--- request eval
"POST /hook\n" . body('company.created', event_id => 'evt-25')
--- response_body chomp
{"id":"evt-25","type":"company.created","result":"accepted"}
--- seen eval
sub {
    my @spare = $::spare->requests;
    Test::More::is_deeply([map { "$_->{method} " . $_->json->{id} } @spare],
                          ['POST evt-25', 'POST evt-25'],
                          'the spare application got the event, twice');
}
--- error_log
connect() failed



=== TEST 30: error_page that leads to a failure is a failure
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /gone;
}
location = /gone {
    internal;
    error_page 502 = @worse;
    proxy_pass http://$TEST_NGINX_GONE;
}
location @worse { return 507; }
--- request eval
"POST /hook\n" . body('company.created')
--- error_code: 502
--- response_body_like: was answered with status 507
--- error_log
forward to "/gone" failed, status: 507



=== TEST 31: proxy_next_upstream sends the whole event again
--- http_config
upstream pool {
    server $TEST_NGINX_GONE max_fails=0;
    server $TEST_NGINX_SPARE backup;
}
upstream refusing {
    server $TEST_NGINX_APP max_fails=0;
    server $TEST_NGINX_SPARE backup;
}
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /pool;
    codat_forward * /refusing;
}
location = /pool { internal; proxy_pass http://pool/pool; }
location = /refusing {
    internal;
    proxy_next_upstream error http_503 non_idempotent;
    proxy_pass http://refusing/status/503;
}
--- request eval
"POST /hook\n" . body('company.created', event_id => 'evt-27')
--- response_body chomp
{"id":"evt-27","type":"company.created","result":"accepted"}
--- seen eval
sub {
    Test::More::is(scalar @_, 1, 'the first one was asked');
    my @spare = CORE::sort { $a->{uri} cmp $b->{uri} } $::spare->requests;
    Test::More::is_deeply([map { $_->{uri} } @spare],
                          ['/pool', '/status/503'], 'and then the other');
    Test::More::is($spare[1]{body}, $_[0]{body}, 'with the same body');
}
--- error_log
connect() failed



=== TEST 32: auth_request in the application's location holds up nothing
# nginx makes no access checks for subrequests, see the next block
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /app/plain;
    codat_forward * /own;
}
location /app/ {
    internal;
    auth_request /auth;
    proxy_pass http://$TEST_NGINX_APP/;
}
location = /own { internal; auth_request /yes; return 200; }
location = /yes { internal; return 204; }
location = /auth {
    internal;
    proxy_pass_request_body off;
    proxy_set_header Content-Length "";
    proxy_pass http://$TEST_NGINX_SPARE/auth;
}
--- request eval
[map { "POST /hook\n" . body('company.created', event_id => "evt-28-$_") }
    1, 2]
--- response_body eval
[map { '{"id":"evt-28-' . $_
       . '","type":"company.created","result":"accepted"}' } 1, 2]
--- uris eval
[['/plain'], ['/plain']]



=== TEST 33: access checks of the application's location are about clients
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /app/plain;
}
location /app/ {
    internal;
    deny all;
    auth_basic closed;
    auth_basic_user_file none;
    auth_request /auth;
    proxy_pass http://$TEST_NGINX_APP/;
}
location = /auth { internal; return 403; }
--- request eval
"POST /hook\n" . body('company.created', event_id => 'evt-29')
--- response_body chomp
{"id":"evt-29","type":"company.created","result":"accepted"}
--- uris eval
[['/plain']]



=== TEST 34: client_max_body_size of the application's location is not for events
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /app/one;
    codat_forward * /app/two format=raw;
    codat_forward * @three;
}
location /app/ {
    internal;
    client_max_body_size 10;
    proxy_pass http://$TEST_NGINX_APP/;
}
location @three { client_max_body_size 1; proxy_pass http://$TEST_NGINX_APP; }
--- request eval
"POST /hook\n" . body('company.created', company_name => 'x' x 5000)
--- response_body_like: "result":"accepted"
--- seen eval
sub {
    Test::More::is(scalar @_, 3, 'three came');
    Test::More::cmp_ok($_->header('content-length'), '>', 5000,
                       "whole to $_->{uri}") for @_;
    Test::More::is(length $_->{body}, $_->header('content-length'),
                   "and all of it") for @_;
}



=== TEST 35: a forward to a location with codat_webhook fails, and says why
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /hook;
}
--- request eval
"POST /hook\n" . body('company.created')
--- error_code: 502
--- response_body_like: was answered with status 500
--- error_log
codat: a location with codat_webhook can't serve subrequests



=== TEST 36: several that fail make one 502, which blames one of them
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /app/status/200;
    codat_forward * /app/status/500;
    codat_forward * /app/status/503;
}
location /app/ { internal; proxy_pass http://$TEST_NGINX_APP/; }
--- request eval
"POST /hook\n" . body('company.created')
--- error_code: 502
--- response_body_like: "detail":"the forward to ..\/app\/status\/50[03].. was answered with status 50[03]"
--- uris eval
[[map { "/status/$_" } 200, 500, 503]]
--- error_log
forward to "/app/status/500" failed
forward to "/app/status/503" failed
--- no_error_log
forward to "/app/status/200" failed
[alert]
[crit]



=== TEST 37: the application's location can rewrite and limit
--- http_config
limit_req_zone $server_name zone=few:1m rate=1r/m;
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /app/old;
}
location = /app/old { internal; rewrite ^ /app/new; }
location /app/ {
    internal;
    limit_req zone=few;
    limit_req_status 429;
    proxy_pass http://$TEST_NGINX_APP/;
}
--- request eval
[map { "POST /hook\n" . body('company.created', event_id => "evt-33-$_") }
    1, 2]
--- error_code eval
[200, 502]
--- uris eval
[['/new'], []]
--- response_body_like eval
['"accepted"', 'was answered with status 429']
--- no_error_log
[alert]
[crit]
