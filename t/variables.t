# Variables, wherever nginx can read them.

use strict;
use warnings;

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use CodatTest;
use JSON::PP ();
use Time::HiRes ();

our $app = CodatTest::Upstream->new(handler => sub {
    my ($status, $delay) = $_[0]{uri} =~ m{^/(\d\d\d)(?:/([\d.]+))?};
    return { status => $status // 200, delay => $delay // 0 };
});

our $secret = new_secret();

$ENV{TEST_NGINX_APP} = $app->address;
$ENV{TEST_NGINX_SECRET} = $secret;


# all of them, as "name=value;name=value", and what is expected

our @names = qw(event_id event_type received_type generation client_id
    company_id company_name connection_id connection_status
    previous_connection_status integration_key platform_name source_type
    data_type data_status push_key push_status push_type record_id
    attachment_id error_message message sync_id reference stale generated_at
    webhook_id attempt result tag_region payload);

$ENV{TEST_NGINX_ALL} = CORE::join(';', map { "$_=\$codat_$_" } @names);

sub all {
    my ($absent, %value) = @_;

    my $all = CORE::join(';', map { "$_=" . ($value{$_} // $absent) } @names);

    # as a log escapes it, where "-" says what is absent
    $all =~ s/(["\\])/sprintf('\\x%02X', CORE::ord $1)/ge if $absent eq '-';

    return $all;
}


# "logged" are the lines of the access log, "seen" is given what the
# application got of one request

add_block_preprocessor(sub {
    my $block = shift;

    $app->reset;

    $block->set_value('http_config', CORE::join("\n",
        'codat_zone zone=codat:1m;', 'codat_credential bearer sesame;',
        q(log_format all '$TEST_NGINX_ALL';),
        q(log_format short '$uri $status $codat_result';),
        $block->http_config // ''));

    $block->set_value('more_headers', CORE::join("\n",
        'Authorization: Bearer sesame', $block->more_headers // ''))
        unless ref $block->more_headers || $block->no_credential;

    $block->set_value('no_error_log', CORE::join("\n", '[alert]', '[crit]',
        '[emerg]', 'count is zero', 'could not build', defined $block->errors ? () : '[error]'));
    $block->set_value('no_shutdown_error_log', "[alert]\nopen socket");
});

add_response_body_check(sub {
    my ($block, $body, $index) = @_;

    $block->seen->($app->requests) if $block->seen;
    $app->reset;

    my $wanted = $block->logged // return;
    $wanted = $wanted->[$index] if ref $wanted;

    # the line is written when the request ends
    my $until = time + 10;
    my $line = '';
    do {
        open(my $fh, '<', "$Test::Nginx::Util::ServRoot/logs/vars.log");
        my @lines = $fh ? <$fh> : ();
        $line = $lines[$index] // '';
        Time::HiRes::sleep(0.02) if $line eq '';
    } until $line ne '' || time > $until;

    chomp $line;
    chomp $wanted;
    Test::More::is($line, $wanted, $block->name . " - access log $index");
});

master_on();
no_long_string();
run_tests();

__DATA__

=== TEST 1: all variables of an event, everywhere
--- http_config
codat_format all escape=none '$TEST_NGINX_ALL';
map "$TEST_NGINX_ALL" $mapped { "~^(?<everything>.*)$" $everything; }
map $codat_push_status $pushed { Success 1; default ""; }
--- config
access_log $TEST_NGINX_SERVER_ROOT/logs/vars.log all;
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /app/$codat_push_key?s=$codat_push_status;
    codat_forward * /app/format format=all;
    codat_forward * /app/if if=$pushed;
    codat_forward * /app/if-not if=$codat_sync_id;
}
location /app/ {
    internal;
    proxy_set_header X-All "$TEST_NGINX_ALL";
    proxy_set_header X-Map $mapped;
    proxy_pass http://$TEST_NGINX_APP/200/0?$args;
}
--- request eval
our %data = (eventType => 'bills.write.successful', id => 'evt-1',
    generatedDate => '2026-01-02T03:04:05Z', payload => { id => 'pk',
    type => 'UploadAttachment', status => 'Success', connectionId => 'cn',
    attachmentId => 'at', record => { id => 'rec' }, referenceCompany => {
    id => 'co', name => 'Finch & Co', tags => { region => 'uk' } } });
our $sent = JSON::PP->new->canonical->encode(\%data);
"POST /hook\n$sent"
--- more_headers
webhook-id: msg_1
X-Codat-ClientId: cl
--- response_body chomp
{"id":"evt-1","type":"bills.write.successful","result":"accepted"}
--- logged eval
our $sent;
our @all = (event_id => 'evt-1', event_type => 'bills.write.successful',
    received_type => 'bills.write.successful', generation => 'current',
    client_id => 'cl', company_id => 'co', company_name => 'Finch & Co',
    connection_id => 'cn', data_type => 'bills', push_key => 'pk',
    push_status => 'Success', push_type => 'UploadAttachment',
    record_id => 'rec', attachment_id => 'at',
    generated_at => '2026-01-02T03:04:05Z', webhook_id => 'msg_1',
    attempt => 1, tag_region => 'uk', payload => $sent);
main::all('-', @all, result => 'accepted')
--- seen eval
our @all;
my @expect = @all;
sub {
    my %by = map { $_->{uri} => $_ } @_;
    Test::More::is(scalar @_, 3, 'three forwards');
    for my $request (@_) {
        Test::More::is($request->header('x-all'), main::all('', @expect),
                       'proxy_set_header');
        Test::More::is($request->header('x-map'), main::all('', @expect),
                       'map');
    }
    my ($format) = grep { $_->header('content-type') eq 'text/plain' } @_;
    Test::More::is($format->{body}, main::all('', @expect), 'codat_format');
    Test::More::is(scalar(grep { $_->{uri} eq '/200/0?s=Success' } @_), 1,
                   'URI and arguments');
}



=== TEST 2: the other half of the variables
--- config
access_log $TEST_NGINX_SERVER_ROOT/logs/vars.log all;
location = /hook { codat_webhook zone=codat; }
--- request
POST /hook
{"RuleType":"Data Sync Status Changed To Error","AlertId":"evt-2","ClientId":"cl","CompanyId":"co","DataConnectionId":"cn","Message":"It broke","Data":{"dataType":"bills","datasetStatus":"FetchError"}}
--- response_body chomp
{"id":"evt-2","type":"read.completed","result":"accepted"}
--- logged eval
main::all('-', event_id => 'evt-2', event_type => 'read.completed',
    received_type => 'Data Sync Status Changed To Error',
    generation => 'legacy', client_id => 'cl', company_id => 'co',
    connection_id => 'cn', data_type => 'bills', data_status => 'FetchError',
    error_message => 'It broke', message => 'It broke', attempt => 1,
    result => 'accepted', payload => '{"RuleType":"Data Sync Status Changed '
    . 'To Error","AlertId":"evt-2","ClientId":"cl","CompanyId":"co",'
    . '"DataConnectionId":"cn","Message":"It broke","Data":{"dataType":'
    . '"bills","datasetStatus":"FetchError"}}')



=== TEST 3: a connection
--- http_config
log_format conn '$codat_connection_status,$codat_previous_connection_status,'
                '$codat_integration_key,$codat_platform_name,'
                '$codat_source_type,$codat_sync_id';
--- config
access_log $TEST_NGINX_SERVER_ROOT/logs/vars.log conn;
location = /hook { codat_webhook zone=codat; }
--- request eval
[
    "POST /hook\n" . body('connection.deleted', integration => 'xmpl',
                          platform => 'Books', source_type => 'Banking'),
    "POST /hook\n" . body('DataConnectionStatusChanged', status => 'Linked',
                          old_status => 'Unlinked', integration => 'xmpl'),
    "POST /hook\n" . body('SyncStarted', sync => 's'),
]
--- error_code eval
[200, 200, 200]
--- response_body_like eval
['accepted', 'accepted', 'accepted']
--- logged eval
['Deleted,-,xmpl,Books,Banking,-', 'Linked,Unlinked,xmpl,-,-,-',
 '-,-,-,-,-,s']



=== TEST 4: what is absent is "-" in a log, for every variable
--- config
access_log $TEST_NGINX_SERVER_ROOT/logs/vars.log all;
location = /hook { codat_webhook zone=codat; }
--- request
POST /hook
{"x":1}
--- response_body chomp
{"id":null,"type":"unknown","result":"accepted"}
--- logged eval
main::all('-', event_type => 'unknown', generation => 'current', attempt => 1,
          result => 'accepted', payload => '{"x":1}')



=== TEST 5: outside of a webhook they are empty, and "-" in a log
--- config
access_log $TEST_NGINX_SERVER_ROOT/logs/vars.log all;
location = /plain { return 200 "[$codat_event_type$codat_result$codat_payload$codat_tag_x$codat_attempt$codat_stale]"; }
location = /proxied {
    proxy_set_header X-All "$TEST_NGINX_ALL";
    proxy_pass http://$TEST_NGINX_APP/200;
}
--- request eval
["POST /plain\n" . body('company.created'),
 "POST /proxied\n" . body('company.created')]
--- response_body eval
['[]', '']
--- logged eval
[main::all('-'), main::all('-')]
--- seen eval
sub {
    Test::More::is($_[0]->header('x-all'), main::all(''), 'empty') if @_;
}



=== TEST 6: reading early does not spoil what is read later
--- http_config
map $codat_event_type $kind { volatile; default early; company.created late; }
--- config
access_log $TEST_NGINX_SERVER_ROOT/logs/vars.log all;
set $server "$TEST_NGINX_ALL";
location = /hook {
    set $early "$TEST_NGINX_ALL";
    set $early_kind $kind;
    if ($codat_company_id) { return 444; }
    if ($codat_tag_region = uk) { return 444; }
    codat_webhook zone=codat;
    codat_forward * /app/$codat_company_id if=$codat_tag_region;
}
location /app/ {
    internal;
    proxy_set_header X-Early "$early";
    proxy_set_header X-Kind "$early_kind,$kind";
    proxy_set_header X-All "$TEST_NGINX_ALL";
    proxy_pass http://$TEST_NGINX_APP/;
}
--- request
POST /hook
{"eventType":"company.created","id":"evt-6","payload":{"id":"co-6","tags":{"region":"uk"}}}
--- response_body chomp
{"id":"evt-6","type":"company.created","result":"accepted"}
--- logged eval
our @six = (event_id => 'evt-6', event_type => 'company.created',
    received_type => 'company.created', generation => 'current',
    company_id => 'co-6', attempt => 1, tag_region => 'uk', payload =>
    '{"eventType":"company.created","id":"evt-6","payload":{"id":"co-6",'
    . '"tags":{"region":"uk"}}}');
main::all('-', @six, result => 'accepted')
--- seen eval
our @six;
my @expect = @six;
sub {
    my $request = shift;
    Test::More::is($request->{uri}, '/co-6', 'URI');
    Test::More::is($request->header('x-all'), main::all('', @expect), 'all');
    Test::More::like($request->header('x-kind'), qr/,late$/, 'map');
}



=== TEST 7: control characters in values become spaces and inject nothing
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /app?n=$codat_company_name;
}
location = /app {
    internal;
    proxy_set_header X-Name $codat_company_name;
    proxy_set_header X-Tag $codat_tag_region;
    proxy_set_header X-Id $codat_event_id;
    proxy_set_header X-Type $codat_received_type;
    proxy_set_header X-Company $codat_company_id;
    proxy_set_header X-Message $codat_message;
    proxy_pass http://$TEST_NGINX_APP/200;
}
--- request eval
my $evil = 'a\r\nX-Evil: 1\u0000\t\u001f\u007fz';
"POST /hook\n" . qq({"eventType":"company.created$evil","id":"$evil",)
    . qq("message":"$evil","payload":{"referenceCompany":{"id":"$evil",)
    . qq("name":"$evil","tags":{"region":"$evil"}}}})
--- response_body_like: "result":"accepted"
--- seen eval
sub {
    my $request = shift;
    my $plain = 'a  X-Evil: 1    z';
    Test::More::is($request->header('x-evil'), undef, 'no header injected');
    for my $name (qw(name tag id company message)) {
        Test::More::is($request->header("x-$name"), $plain, $name);
    }
    Test::More::is($request->header('x-type'), "company.created$plain", 'type');
    Test::More::is($request->header('webhook-id'), $plain, 'webhook-id');
    Test::More::is($request->json->{data}{companyName},
                   "a\r\nX-Evil: 1\0\t\x1f\x7fz", 'the event has it as it is');
}



=== TEST 8: a line of the log is one line
--- http_config
log_format name escape=none '$codat_company_name';
--- config
access_log $TEST_NGINX_SERVER_ROOT/logs/vars.log name;
location = /hook { codat_webhook zone=codat; }
--- request eval
"POST /hook\n" . body('company.created', company_name => "one\r\n\"two\"\tx")
--- response_body_like: accepted
--- logged
one  "two" x



=== TEST 9: tags of odd names and values
--- http_config
log_format tags '$codat_tag_region|$codat_tag_REGION|$codat_tag_a_b|$codat_tag_dotted_name_1|$codat_tag_twice|$codat_tag_number|$codat_tag_flag|$codat_tag_null|$codat_tag_empty|$codat_tag_object|$codat_tag_none|$codat_tag_';
--- config
access_log $TEST_NGINX_SERVER_ROOT/logs/vars.log tags;
location = /hook { codat_webhook zone=codat; }
--- request
POST /hook
{"eventType":"company.created","payload":{"id":"c","tags":{"Region":"U\u004b","a b":"blank","dotted.name-1":"yes","twice":"1","TWICE":"2","number":1.50,"flag":true,"null":null,"empty":"","object":{"a":[1]}}}}
--- response_body_like: accepted
--- logged
UK|UK|blank|yes|2|1.50|true|-|-|{\x22a\x22:[1]}|-|-



=== TEST 10: tags that are no object, and no tags
--- http_config
log_format tags '$codat_tag_region';
--- config
access_log $TEST_NGINX_SERVER_ROOT/logs/vars.log tags;
location = /hook { codat_webhook zone=codat; }
--- request eval
[map { "POST /hook\n" . '{"eventType":"company.created","payload":{"id":"c"'
       . $_ . '}}' } ',"tags":"region"', ',"tags":["region"]',
 ',"tags":null', '', ',"tags":{}']
--- error_code eval
[(200) x 5]
--- response_body_like eval
[('accepted') x 5]
--- logged eval
[('-') x 5]



=== TEST 11: $codat_attempt counts the receipts of one message
--- http_config
log_format attempt '$codat_attempt $codat_result';
--- config
access_log $TEST_NGINX_SERVER_ROOT/logs/vars.log attempt;
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /app/$arg_s;
}
location /app/ {
    internal;
    proxy_set_header X-Attempt $codat_attempt;
    proxy_pass http://$TEST_NGINX_APP/;
}
--- request eval
[map { "POST /hook?s=$_\n" . body('company.created', event_id => 'evt-11') }
    500, 503, 404, 200]
--- error_code eval
[502, 502, 502, 200]
--- response_body_like eval
['forward_failed', 'forward_failed', 'forward_failed', 'accepted']
--- logged eval
['1 forward_failed', '2 forward_failed', '3 forward_failed', '4 accepted']
--- seen eval
my $n = 0;
sub { Test::More::is($_[0]->header('x-attempt'), ++$n, "attempt $n") }
--- errors: 1



=== TEST 12: without a memory of deliveries every attempt is the first
--- http_config
codat_zone zone=forgetful:1m dedupe=off;
log_format attempt '$codat_attempt $codat_result';
--- config
access_log $TEST_NGINX_SERVER_ROOT/logs/vars.log attempt;
location = /hook {
    codat_webhook zone=forgetful;
    codat_forward * /app;
}
location /app { internal; proxy_pass http://$TEST_NGINX_APP/500; }
--- request eval
[map { "POST /hook\n" . body('company.created', event_id => 'evt-12') } 1 .. 3]
--- error_code eval
[502, 502, 502]
--- logged eval
[('1 forward_failed') x 3]
--- errors: 1



=== TEST 13: $codat_result of what is accepted, and of a duplicate
--- config
access_log $TEST_NGINX_SERVER_ROOT/logs/vars.log short;
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /app;
}
location /app {
    internal;
    proxy_set_header X-Result "[$codat_result]";
    proxy_pass http://$TEST_NGINX_APP/200;
}
--- request eval
[map { "POST /hook\n" . body('company.created', event_id => 'evt-13') } 1, 2]
--- error_code eval
[200, 200]
--- response_body_like eval
['accepted', 'duplicate']
--- logged eval
['/hook 200 accepted', '/hook 200 duplicate']
--- seen eval
sub {
    Test::More::is($_[0]->header('x-result'), '[]', 'not yet known') if @_;
}



=== TEST 14: $codat_result of every refusal of what is sent
--- http_config
codat_log_level notice;
--- config
access_log $TEST_NGINX_SERVER_ROOT/logs/vars.log short;
location = /bearer {
    codat_webhook zone=codat;
    codat_client mine;
    client_max_body_size 1k;
}
location = /signed {
    codat_webhook zone=codat;
    codat_credential signature $TEST_NGINX_SECRET;
}
--- request eval
[
    "GET /bearer",
    "POST /bearer\n{}",
    "POST /bearer\n{}",
    "POST /bearer\n{}",
    "POST /bearer\n" . '{"ClientId":"other"}',
    "POST /bearer\n{}",
    "POST /bearer\n{",
    "POST /bearer\n[1]",
    "POST /bearer\n" . ('x' x 2000),
    "POST /signed\n{}",
    "POST /signed\n{}",
    "POST /signed\n{}",
]
--- no_credential: 1
--- more_headers eval
my $ok = 'Authorization: Bearer sesame';
my $signed = signed_headers($::secret, '{}');
[
    $ok,
    '',
    'Authorization: Bearer wrong',
    "$ok\nX-Codat-ClientId: other",
    $ok,
    "$ok\nContent-Type: text/plain",
    $ok,
    $ok,
    $ok,
    '',
    signed_headers($::secret, '{}', offset => -3600),
    signed_headers($::secret, '[]'),
]
--- error_code eval
[405, 401, 401, 403, 403, 415, 400, 400, 413, 401, 401, 401]
--- logged eval
['/bearer 405 method_not_allowed', '/bearer 401 credential_missing',
 '/bearer 401 credential_mismatch', '/bearer 403 client_not_allowed',
 '/bearer 403 client_not_allowed', '/bearer 415 unsupported_media_type',
 '/bearer 400 malformed_json', '/bearer 400 unrecognised_event',
 '/bearer 413 body_too_large', '/signed 401 signature_missing',
 '/signed 401 timestamp_out_of_tolerance', '/signed 401 signature_mismatch']
--- errors: 1



=== TEST 15: $codat_result of what the application did
--- config
access_log $TEST_NGINX_SERVER_ROOT/logs/vars.log short;
location = /failed {
    codat_webhook zone=codat;
    codat_forward * /app/500;
}
location = /late {
    codat_webhook zone=codat;
    codat_forward_timeout 100ms;
    codat_forward * /app/200/1.5;
}
location /app/ { internal; proxy_pass http://$TEST_NGINX_APP/; }
--- request eval
["POST /failed\n" . body('company.created', event_id => 'evt-15'),
 "POST /late\n" . body('company.created', event_id => 'evt-15')]
--- error_code eval
[502, 504]
--- response_body_like eval
['forward_failed', 'forward_timeout']
--- timeout: 10
--- logged eval
['/failed 502 forward_failed', '/late 504 forward_timeout']
--- errors: 1



=== TEST 16: what is refused before it is read has an id, and no fields
--- config
access_log $TEST_NGINX_SERVER_ROOT/logs/vars.log all;
location = /hook { codat_webhook zone=codat; }
--- request eval
"POST /hook\n" . body('company.created', event_id => 'evt-16')
--- no_credential: 1
--- more_headers
webhook-id: msg_16
X-Codat-ClientId: cl
--- error_code: 401
--- response_body_like: "code":"credential_missing"
--- logged eval
main::all('-', webhook_id => 'msg_16', result => 'credential_missing')
--- errors: 1



=== TEST 17: svix-id is a webhook id too
--- http_config
log_format id '$codat_webhook_id';
--- config
access_log $TEST_NGINX_SERVER_ROOT/logs/vars.log id;
location = /hook { codat_webhook zone=codat; }
--- request eval
[map { "POST /hook\n" . body('company.created') } 1 .. 3]
--- no_credential: 1
--- more_headers eval
my $ok = 'Authorization: Bearer sesame';
["$ok\nsvix-id: s1", "$ok\nsvix-id: s2\nwebhook-id: w2", $ok]
--- error_code eval
[200, 200, 200]
--- logged eval
['s1', 'w2', '-']



=== TEST 18: two requests on one connection do not mix
--- config
access_log $TEST_NGINX_SERVER_ROOT/logs/vars.log short;
location = /hook {
    set $early $codat_company_id;
    codat_webhook zone=codat;
    codat_forward * /app;
}
location = /app {
    internal;
    proxy_set_header X-Company $codat_company_id;
    proxy_set_header X-Push $codat_push_key;
    proxy_pass http://$TEST_NGINX_APP/200;
}
location = /plain { return 200 "[$codat_company_id]"; }
--- pipelined_requests eval
["POST /hook\n" . body('bills.write.successful', company => 'one',
                       push_key => 'pk'),
 "POST /hook\n" . body('company.created', company => 'two'),
 "GET /plain"]
--- response_body_like eval
['accepted', 'accepted', '^\[\]$']
--- seen eval
my $first = 1;
sub {
    return unless $first;
    $first = 0;
    Test::More::is_deeply([map { [scalar $_->header('x-company'),
                                  scalar $_->header('x-push')] } @_],
                          [['one', 'pk'], ['two', undef]], 'headers');
}



=== TEST 19: nginx finds room for their names in its hash
--- http_config
variables_hash_max_size 512;
--- config
location = /plain { return 200 "[$codat_company_id]"; }
--- request
GET /plain
--- response_body chop
[]



=== TEST 20: an error page of nginx's knows them, and so does its log
--- http_config
log_format page '$uri $status $codat_webhook_id $codat_client_id';
--- config
access_log $TEST_NGINX_SERVER_ROOT/logs/vars.log page;
error_page 413 =200 /own;
location = /own { return 200 "[$codat_webhook_id]"; }
location = /hook { codat_webhook zone=codat; client_max_body_size 1k; }
--- raw_request eval
["POST /hook HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sesame\r\n"
 . "webhook-id: msg_20\r\nTransfer-Encoding: chunked\r\n"
 . "Connection: close\r\n\r\n800\r\n" . 'x' x 2048 . "\r\n0\r\n\r\n"]
--- response_body chomp
[msg_20]
--- logged
/own 200 msg_20 -
--- errors: 1



=== TEST 21: $codat_stale of an event that is older than what is known
--- http_config
log_format stale '$codat_event_type [$codat_stale]';
--- config
access_log $TEST_NGINX_SERVER_ROOT/logs/vars.log stale;
location = /hook { codat_webhook zone=codat; }
--- request eval
our $cut = CodatTest::uuid();
[map { "POST /hook\n" . body("connection.$_->[0]", connection => $cut,
                             generated => "2026-01-0$_->[1]T00:00:00Z") }
    ['connected', 2], ['disconnected', 1], ['deleted', 3]]
--- error_code eval
[200, 200, 200]
--- logged eval
['connection.connected [-]', 'connection.disconnected [true]',
 'connection.deleted [-]']
