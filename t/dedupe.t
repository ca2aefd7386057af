# Deliveries seen: what is a duplicate, and what is not.

use strict;
use warnings;

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use CodatTest;
use Time::HiRes ();

our $app = CodatTest::Upstream->new(handler => sub {
    my ($status) = $_[0]{uri} =~ m{^/(\d\d\d)};
    return { status => $status // 200 };
});

our $secret = new_secret();

$ENV{TEST_NGINX_APP} = $app->address;
$ENV{TEST_NGINX_SECRET} = $secret;


# "uris" are the sorted URIs that the application saw, for each request a
# list; "warned" how often the log told of an id with another body, after each
# request; "pause" are seconds after each request.

add_block_preprocessor(sub {
    my $block = shift;

    $app->reset;

    $block->set_value('http_config', CORE::join("\n",
        'codat_zone zone=codat:1m;', 'codat_credential bearer sesame;',
        $block->http_config // ''));

    $block->set_value('config', CORE::join("\n", $block->config,
        'location /app/ { internal; proxy_pass http://$TEST_NGINX_APP/; }'));

    $block->set_value('more_headers', CORE::join("\n",
        'Authorization: Bearer sesame', $block->more_headers // ''))
        unless ref $block->more_headers;

    $block->set_value('no_error_log', CORE::join("\n", '[alert]', '[crit]',
        '[emerg]', 'count is zero',
        defined $block->error_log || $block->errors ? () : '[error]',
        defined $block->error_log || $block->warnings ? () : '[warn]'));

    $block->set_value('no_shutdown_error_log', "[alert]\nopen socket");
});

add_response_body_check(sub {
    my ($block, $body, $index) = @_;

    if ($block->uris) {
        my $wanted = $block->uris->[$index];
        my @seen = $app->wait_requests(scalar @$wanted);
        Test::More::is_deeply([CORE::sort map { $_->{uri} } @seen], $wanted,
                              $block->name . " - forwarded to (req $index)");
    }

    $app->reset;

    if ($block->warned) {
        open(my $fh, '<', $Test::Nginx::Util::ErrLogFile);
        my $n = grep { /\[warn\].*codat: an id that was seen before came with another body/ } <$fh>;
        Test::More::is($n, $block->warned->[$index],
                       $block->name . " - warnings (req $index)");
    }

    Time::HiRes::sleep($block->pause->[$index] // 0) if $block->pause;
});

master_on();
no_long_string();
run_tests();

__DATA__

=== TEST 1: the same webhook-id twice is a duplicate
--- config
location = /hook { codat_webhook zone=codat; codat_forward * /app/200; }
--- request eval
[("POST /hook\n" . body('company.created', event_id => 'evt-1')) x 3]
--- more_headers
webhook-id: msg_1
--- response_body eval
['{"id":"evt-1","type":"company.created","result":"accepted"}',
 ('{"id":"evt-1","type":"company.created","result":"duplicate"}') x 2]
--- response_headers eval
[("Content-Type: application/json\n!Retry-After") x 3]
--- error_code eval
[200, 200, 200]
--- uris eval
[['/200'], [], []]



=== TEST 2: without a webhook-id it is the id of the event that counts
--- config
location = /hook { codat_webhook zone=codat; codat_forward * /app/200; }
--- request eval
[("POST /hook\n" . body('company.created', event_id => 'evt-2')) x 2,
 "POST /hook\n" . body('company.created', event_id => 'evt-2b')]
--- response_body eval
['{"id":"evt-2","type":"company.created","result":"accepted"}',
 '{"id":"evt-2","type":"company.created","result":"duplicate"}',
 '{"id":"evt-2b","type":"company.created","result":"accepted"}']
--- error_code eval
[200, 200, 200]
--- uris eval
[['/200'], [], ['/200']]



=== TEST 3: AlertId is such an id, with Basic as the old service sends it
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_credential basic codat:s3cret;
    codat_forward * /app/200;
}
--- request eval
[('POST /hook' . "\n" . '{"RuleType":"Sync Started","AlertId":"al-3"}') x 2]
--- more_headers eval
[("Authorization: " . basic('codat', 's3cret')) x 2]
--- response_body eval
['{"id":"al-3","type":"SyncStarted","result":"accepted"}',
 '{"id":"al-3","type":"SyncStarted","result":"duplicate"}']
--- error_code eval
[200, 200]
--- uris eval
[['/200'], []]



=== TEST 4: webhook-id goes before the id of the event
--- config
location = /hook { codat_webhook zone=codat; codat_forward * /app/200; }
--- request eval
[("POST /hook\n" . body('company.created', event_id => 'evt-4')) x 3]
--- more_headers eval
my $ok = 'Authorization: Bearer sesame';
["$ok\nwebhook-id: a", "$ok\nwebhook-id: b", "$ok\nsvix-id: a"]
--- error_code eval
[200, 200, 200]
--- response_body_like eval
['accepted', 'accepted', 'duplicate']
--- uris eval
[['/200'], ['/200'], []]



=== TEST 5: the same id with another body is a duplicate, with a warning
--- config
location = /hook { codat_webhook zone=codat; codat_forward * /app/200; }
--- request eval
["POST /hook\n" . body('company.created', event_id => 'evt-5'),
 "POST /hook\n" . body('company.deleted', event_id => 'evt-5x')]
--- more_headers
webhook-id: msg_5
--- response_body eval
['{"id":"evt-5","type":"company.created","result":"accepted"}',
 '{"id":"evt-5x","type":"company.deleted","result":"duplicate"}']
--- error_code eval
[200, 200]
--- uris eval
[['/200'], []]
--- warnings: 1
--- warned eval
[0, 1]



=== TEST 6: without any id nothing is a duplicate
--- config
location = /hook { codat_webhook zone=codat; codat_forward * /app/200; }
--- request eval
[("POST /hook\n" . '{"eventType":"company.created","payload":{}}') x 3]
--- error_code eval
[200, 200, 200]
--- response_body eval
[('{"id":null,"type":"company.created","result":"accepted"}') x 3]
--- uris eval
[(['/200']) x 3]



=== TEST 7: an empty webhook-id is none
--- config
location = /hook { codat_webhook zone=codat; codat_forward * /app/200; }
--- request eval
[("POST /hook\n" . '{"eventType":"company.created","payload":{}}') x 2]
--- more_headers
webhook-id:
--- error_code eval
[200, 200]
--- response_body_like eval
[('accepted') x 2]
--- uris eval
[(['/200']) x 2]



=== TEST 8: dedupe=off
--- http_config
codat_zone zone=off:1m dedupe=off;
--- config
location = /hook { codat_webhook zone=off; codat_forward * /app/200; }
--- request eval
[("POST /hook\n" . body('company.created', event_id => 'evt-8')) x 3]
--- more_headers
webhook-id: msg_8
--- error_code eval
[200, 200, 200]
--- response_body_like eval
[('accepted') x 3]
--- uris eval
[(['/200']) x 3]



=== TEST 9: the window closes
--- http_config
codat_zone zone=short:1m dedupe=3s;
--- config
location = /hook { codat_webhook zone=short; codat_forward * /app/200; }
--- request eval
[("POST /hook\n" . body('company.created', event_id => 'evt-9')) x 4]
--- error_code eval
[200, 200, 200, 200]
--- response_body_like eval
['accepted', 'duplicate', 'accepted', 'duplicate']
--- uris eval
[['/200'], [], ['/200'], []]
--- pause eval
[0, 4.1, 0, 0]



=== TEST 10: what was not authenticated is not remembered
--- http_config
codat_log_level info;
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_credential signature $TEST_NGINX_SECRET;
    codat_forward * /app/200;
}
--- request eval
our $ten = body('company.created', event_id => 'evt-10');
[("POST /hook\n$ten") x 5]
--- more_headers eval
our $ten;
[signed_headers($::secret, "$ten ", id => 'msg_10'),
 signed_headers(new_secret(), $ten, id => 'msg_10'),
 signed_headers($::secret, $ten, id => 'msg_10', offset => -4000),
 signed_headers($::secret, $ten, id => 'msg_10'),
 signed_headers($::secret, $ten, id => 'msg_10', offset => 3)]
--- error_code eval
[401, 401, 401, 200, 200]
--- response_body_like eval
['signature_mismatch', 'signature_mismatch', 'timestamp_out_of_tolerance',
 'accepted', 'duplicate']
--- uris eval
[[], [], [], ['/200'], []]



=== TEST 11: nor is what was refused for another reason
--- http_config
codat_log_level info;
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_client mine;
    codat_forward * /app/200;
}
--- request eval
["POST /hook\n" . '{"eventType":"company.created"',
 "POST /hook\n" . '[]',
 "POST /hook\n" . '{"eventType":"company.created","ClientId":"other"}',
 "POST /hook\n" . '{"eventType":"company.created","ClientId":"mine"}']
--- more_headers
webhook-id: msg_11
--- error_code eval
[400, 400, 403, 200]
--- response_body_like eval
['malformed_json', 'unrecognised_event', 'client_not_allowed', 'accepted']
--- uris eval
[[], [], [], ['/200']]



=== TEST 12: after a failure only the forward that failed is repeated
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /app/200?first;
    codat_forward * /app/$arg_s;
    codat_forward * /app/204?third;
}
--- request eval
my $body = body('company.created', event_id => 'evt-12');
[map { "POST /hook?s=$_\n$body" } 500, 503, 201, 200]
--- error_code eval
[502, 502, 200, 200]
--- response_body_like eval
['forward_failed', 'forward_failed', 'accepted', 'duplicate']
--- uris eval
[['/200?first', '/204?third', '/500'], ['/503'], ['/201'], []]
--- errors: 1



=== TEST 13: an optional forward that failed is not repeated
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /app/500 optional;
    codat_forward * /app/200;
}
--- request eval
[("POST /hook\n" . body('company.created', event_id => 'evt-13')) x 2]
--- error_code eval
[200, 200]
--- response_body_like eval
['accepted', 'duplicate']
--- uris eval
[['/200', '/500'], []]
--- errors: 1



=== TEST 14: after a failure, the same id with another body goes to all
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /app/200;
    codat_forward * /app/$arg_s;
}
--- request eval
["POST /hook?s=500\n" . body('company.created'),
 "POST /hook?s=201\n" . body('company.deleted')]
--- more_headers
webhook-id: msg_14
--- error_code eval
[502, 200]
--- response_body_like eval
['forward_failed', 'accepted']
--- uris eval
[['/200', '/500'], ['/200', '/201']]
--- errors: 1
--- warnings: 1



=== TEST 15: without forwards there are duplicates too
--- config
location = /hook { codat_webhook zone=codat; codat_forward bills.* /app/200; }
--- request eval
[("POST /hook\n" . body('company.created', event_id => 'evt-15')) x 2]
--- error_code eval
[200, 200]
--- response_body_like eval
['accepted', 'duplicate']
--- uris eval
[[], []]



=== TEST 16: locations on one zone do not see each other's ids
--- config
location = /one { codat_webhook zone=codat; codat_forward * /app/200?one; }
location = /two { codat_webhook zone=codat; codat_forward * /app/200?two; }
location /three/ { codat_webhook zone=codat; codat_forward * /app/200?three; }
--- request eval
my $body = body('company.created', event_id => 'evt-16');
[map { "POST $_\n$body" }
    '/one', '/two', '/one', '/two', '/three/a', '/three/b']
--- error_code eval
[(200) x 6]
--- response_body_like eval
['accepted', 'accepted', 'duplicate', 'duplicate', 'accepted', 'duplicate']
--- uris eval
[['/200?one'], ['/200?two'], [], [], ['/200?three'], []]



=== TEST 17: one location of one server on two ports does
--- http_config
server {
    listen 127.0.0.1:$TEST_NGINX_RAND_PORT_1;
    server_name localhost;
    location = /hook { codat_webhook zone=codat; codat_forward * /app/200; }
    location /app/ { internal; proxy_pass http://$TEST_NGINX_APP/; }
}
--- config
location = /hook { codat_webhook zone=codat; codat_forward * /app/200; }
location = /other-port {
    proxy_pass http://127.0.0.1:$TEST_NGINX_RAND_PORT_1/hook;
}
--- request eval
my $body = body('company.created', event_id => 'evt-17');
[map { "POST $_\n$body" } '/other-port', '/hook', '/other-port']
--- error_code eval
[200, 200, 200]
--- response_body_like eval
['accepted', 'duplicate', 'duplicate']
--- uris eval
[['/200'], [], []]



=== TEST 18: servers of other names do not
--- http_config
server {
    listen $TEST_NGINX_SERVER_PORT;
    server_name other;
    location = /hook { codat_webhook zone=codat; codat_forward * /app/200; }
    location /app/ { internal; proxy_pass http://$TEST_NGINX_APP/; }
}
--- config
location = /hook { codat_webhook zone=codat; codat_forward * /app/200; }
--- request eval
[("POST /hook\n" . body('company.created', event_id => 'evt-17')) x 4]
--- more_headers eval
my $ok = 'Authorization: Bearer sesame';
["$ok\nHost: other", "$ok\nHost: localhost", "$ok\nHost: other",
 "$ok\nHost: localhost"]
--- error_code eval
[200, 200, 200, 200]
--- response_body_like eval
['accepted', 'accepted', 'duplicate', 'duplicate']
--- uris eval
[['/200'], ['/200'], [], []]



=== TEST 19: senders with secrets of their own do not see each other's ids
--- http_config
map $http_x_codat_clientid $token { one sesame-1; two sesame-2; }
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_credential bearer $token;
    codat_forward * /app/200;
}
--- request eval
[("POST /hook\n" . body('company.created', event_id => 'evt-17')) x 4]
--- more_headers eval
[map { "webhook-id: msg\nX-Codat-ClientId: $_->[0]\n"
       . "Authorization: Bearer sesame-$_->[1]" }
    ['one', 1], ['two', 2], ['one', 1], ['two', 2]]
--- error_code eval
[200, 200, 200, 200]
--- response_body_like eval
['accepted', 'accepted', 'duplicate', 'duplicate']
--- uris eval
[['/200'], ['/200'], [], []]



=== TEST 20: zones do not see each other's ids
--- http_config
codat_zone zone=second:1m;
server {
    listen $TEST_NGINX_SERVER_PORT;
    server_name other;
    location = /hook { codat_webhook zone=second; codat_forward * /app/200; }
    location /app/ { internal; proxy_pass http://$TEST_NGINX_APP/; }
}
--- config
location = /hook { codat_webhook zone=codat; codat_forward * /app/200; }
--- request eval
[("POST /hook\n" . body('company.created', event_id => 'evt-18')) x 3]
--- more_headers eval
my $ok = 'Authorization: Bearer sesame';
["$ok\nHost: other", "$ok\nHost: localhost", "$ok\nHost: localhost"]
--- error_code eval
[200, 200, 200]
--- response_body_like eval
['accepted', 'accepted', 'duplicate']
--- uris eval
[['/200'], ['/200'], []]



=== TEST 21: ids are compared whole, and with regard to case
--- config
location = /hook { codat_webhook zone=codat; codat_forward * /app/200; }
--- request eval
[("POST /hook\n" . '{"eventType":"company.created"}') x 7]
--- more_headers eval
my $ok = 'Authorization: Bearer sesame';
my $long = 'x' x 2000;
[map { "$ok\nwebhook-id: $_" } 'msg_19', 'MSG_19', 'msg_19 x', 'msg_1',
    "${long}a", "${long}b", "${long}a"]
--- error_code eval
[(200) x 7]
--- response_body_like eval
[('accepted') x 6, 'duplicate']
--- uris eval
[(['/200']) x 6, []]



=== TEST 22: the order of tests is the order of the contract: 415 before a duplicate
--- http_config
codat_log_level info;
--- config
location = /hook { codat_webhook zone=codat; codat_forward * /app/200; }
--- request eval
[("POST /hook\n" . body('company.created', event_id => 'evt-20')) x 3]
--- more_headers eval
my $ok = 'Authorization: Bearer sesame';
[$ok, "$ok\nContent-Type: text/plain", 'Authorization: Bearer wrong']
--- error_code eval
[200, 415, 401]
--- uris eval
[['/200'], [], []]



=== TEST 23: POST and PUT of one message are one delivery
--- config
location = /hook { codat_webhook zone=codat; codat_forward * /app/200; }
--- request eval
our $put = body('company.created', event_id => 'evt-21');
["PUT /hook\n$put", "POST /hook?other=argument\n$put"]
--- error_code eval
[200, 200]
--- response_body_like eval
['accepted', 'duplicate']
--- uris eval
[['/200'], []]
