# format=raw: the application gets what Codat sent, byte for byte, with the
# headers that it needs to check the signature itself, and no other credential.

use strict;
use warnings;

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use CodatTest;

our $app = CodatTest::Upstream->new(answer => { status => 200 });
our $secret = new_secret();
our ($private, $public) = keypair();

$ENV{TEST_NGINX_APP} = $app->address;
$ENV{TEST_NGINX_SECRET} = $secret;
$ENV{TEST_NGINX_PUBLIC} = $public;

# white space, escapes, spellings of numbers, doubled keys: all of it counts

our $odd = CORE::join('', "  \n{ \"id\" :\"evt-raw\",\t\"eventType\":",
    '"company.created" , "generatedDate":"2026-01-02T03:04:05.1234567Z",',
    "\r\n", '"payload":{"id":"c-1","name":"S\u00f6hne \u2028 \ud83d\ude00 ',
    "\xc3\xbc \xe6\x97\xa5\xe6\x9c\xac", ' \"q\" \/ \b\u0000","n":1.50E+02,',
    '"big":12345678901234567890.10, "minus":-0.0,"t":true , "x":null,',
    '"dup":1,"dup":2,"a":[ ],"o":{ }}}', " \t\n\n");


# "seen" is given what the application got; names() are of its headers, but
# for Connection, which nginx adds before 1.29.7

sub names {
    return CORE::join(' ', CORE::sort grep { $_ ne 'connection' }
                      map { lc $_->[0] } @{$_[0]{headers}});
}

add_block_preprocessor(sub {
    my $block = shift;

    $app->reset;
    $block->set_value('http_config', CORE::join("\n",
        'codat_zone zone=codat:1m;', $block->http_config // ''));
    $block->set_value('no_error_log',
                      "[alert]\n[crit]\n[emerg]\n[error]\ncount is zero");
    $block->set_value('no_shutdown_error_log', "[alert]\nopen socket");
});

add_response_body_check(sub {
    my ($block) = @_;

    $block->seen->($app->requests) if $block->seen;
    $app->reset;
});

master_on();
no_long_string();
run_tests();

__DATA__

=== TEST 1: the body is the same, byte for byte, and verifies again
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_credential signature $TEST_NGINX_SECRET;
    codat_forward * /app format=raw;
}
location /app { internal; proxy_pass http://$TEST_NGINX_APP; }
--- request eval
"POST /hook\n$::odd"
--- more_headers eval
signed_headers($::secret, $::odd, id => 'msg_1')
    . "Content-Type: application/json\nContent-Length: " . length $::odd
--- response_body chomp
{"id":"evt-raw","type":"company.created","result":"accepted"}
--- seen eval
sub {
    Test::More::is(scalar @_, 1, 'one request');
    my $request = shift;
    Test::More::is($request->{body}, $::odd, 'the body');
    Test::More::is($request->header('content-length'), length $::odd, 'length');
    Test::More::is($request->header('content-type'), 'application/json', 'type');
    Test::More::is($request->{method}, 'POST', 'method');
    Test::More::is($request->header('webhook-signature'),
                   sign($::secret, $request->header('webhook-id'),
                        $request->header('webhook-timestamp'),
                        $request->{body}), 'the signature verifies');
    Test::More::is($request->header('webhook-id'), 'msg_1', 'webhook-id');
    Test::More::is(main::names($request), 'content-length content-type host '
                   . 'webhook-id webhook-signature webhook-timestamp',
                   'no other header, each once');
}



=== TEST 2: svix-* headers pass, in their own name
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_credential signature $TEST_NGINX_SECRET;
    codat_forward * /app format=raw;
}
location /app { internal; proxy_pass http://$TEST_NGINX_APP; }
--- request eval
"POST /hook\n$::odd"
--- more_headers eval
signed_headers($::secret, $::odd, id => 'msg_2', svix => 1)
    . "Content-Length: " . length $::odd
--- response_body_like: "result":"accepted"
--- seen eval
sub {
    my $request = shift;
    Test::More::is(main::names($request), 'content-length host '
                   . 'svix-id svix-signature svix-timestamp',
                   'headers; no Content-Type where none was sent');
    Test::More::is($request->header('svix-signature'),
                   sign($::secret, 'msg_2', $request->header('svix-timestamp'),
                        $request->{body}), 'the signature verifies');
}



=== TEST 3: both families pass, with all signatures, whatever their case
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_credential signature $TEST_NGINX_SECRET;
    codat_forward * /app format=raw;
}
location /app { internal; proxy_pass http://$TEST_NGINX_APP; }
--- request eval
"POST /hook\n$::odd"
--- more_headers eval
my $time = time;
my $good = sign($::secret, 'msg_3', $time, $::odd);
"Webhook-ID: msg_3\nWEBHOOK-TIMESTAMP: $time\n"
    . "webhook-signature: v2,abc $good v1,AAAA\n"
    . "svix-id: msg_3s\nsvix-timestamp: 1\nsvix-signature: v1,x\n"
    . "webhook-attempt: 2\nContent-Length: " . length $::odd
--- response_body_like: "result":"accepted"
--- seen eval
sub {
    my $request = shift;
    Test::More::like($request->header('webhook-signature'),
                     qr/^v2,abc v1,\S+ v1,AAAA$/, 'signatures');
    Test::More::is(main::names($request), 'content-length host '
        . 'svix-id svix-signature svix-timestamp webhook-attempt webhook-id '
        . 'webhook-signature webhook-timestamp', 'headers');
    Test::More::is($request->header('svix-id'), 'msg_3s', 'svix-id');
}



=== TEST 4: X-Codat-ClientId passes, credentials do not
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_satisfy any;
    codat_credential header webhook-token s3cret;
    codat_credential header X-Custom-Key s3cret;
    codat_credential basic codat:s3cret;
    codat_forward * /app format=raw;
}
location /app {
    internal;
    proxy_set_header X-Look "$http_authorization$http_webhook_token";
    proxy_pass http://$TEST_NGINX_APP;
}
--- request eval
"PUT /hook\n" . body('company.created')
--- more_headers eval
"Authorization: " . basic('codat', 's3cret') . "\nWebhook-Token: s3cret\n"
    . "X-Custom-Key: s3cret\nX-Codat-ClientId: client-4\nCookie: c=1\n"
    . "Content-Type: application/cloudevents+json; charset=utf-8\n"
    . "User-Agent: Svix-Webhooks/1\nX-Forwarded-For: 10.0.0.1\n"
--- response_body_like: "result":"accepted"
--- seen eval
sub {
    my $request = shift;
    Test::More::is(main::names($request),
                   'content-length content-type host x-codat-clientid',
                   'headers');
    Test::More::is($request->header('x-codat-clientid'), 'client-4', 'client');
    Test::More::is($request->header('content-type'),
                   'application/cloudevents+json; charset=utf-8', 'type');
    Test::More::is($request->{method}, 'POST', 'POST, though it was PUT');
    Test::More::unlike(main::names($request), qr/look|token/, 'no credential');
}



=== TEST 5: a webhook-* header of another location's credential passes here
--- config
location = /elsewhere {
    codat_webhook zone=codat;
    codat_credential header webhook-token s3cret;
}
location = /hook {
    codat_webhook zone=codat;
    codat_credential bearer sesame;
    codat_forward * /app format=raw;
}
location /app { internal; proxy_pass http://$TEST_NGINX_APP; }
--- request eval
"POST /hook\n" . body('company.created')
--- more_headers
Authorization: Bearer sesame
webhook-token: mine
--- response_body_like: "result":"accepted"
--- seen eval
sub {
    Test::More::is($_[0]->header('webhook-token'), 'mine', 'passed');
    Test::More::is($_[0]->header('authorization'), undef, 'not the bearer');
}



=== TEST 6: an Ed25519 signature still verifies
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_credential signature $TEST_NGINX_PUBLIC;
    codat_forward * /app format=raw;
}
location /app { internal; proxy_pass http://$TEST_NGINX_APP; }
--- request eval
"POST /hook\n$::odd"
--- more_headers eval
signed_headers($::private, $::odd, id => 'msg_6')
    . "Content-Length: " . length $::odd
--- response_body_like: "result":"accepted"
--- seen eval
sub {
    my $request = shift;
    Test::More::is($request->header('webhook-signature'),
                   sign($::private, 'msg_6',
                        $request->header('webhook-timestamp'),
                        $request->{body}), 'verifies');
}



=== TEST 7: a chunked body arrives whole, with a Content-Length
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_credential signature $TEST_NGINX_SECRET;
    codat_forward * /app format=raw;
}
location /app { internal; proxy_pass http://$TEST_NGINX_APP; }
--- raw_request eval
my $body = $::odd;
my $head = "POST /hook HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    . "Transfer-Encoding: chunked\r\n"
    . signed_headers($::secret, $body, id => 'msg_7') =~ s/\n/\r\n/gr . "\r\n";
my @packets = ($head, map { sprintf("%x\r\n%s\r\n", length $_, $_) }
               unpack('(a40)*', $body));
[@packets, "0\r\n\r\n"]
--- raw_request_middle_delay: 0.01
--- response_body_like: "result":"accepted"
--- seen eval
sub {
    my $request = shift;
    Test::More::is($request->{body}, $::odd, 'the body');
    Test::More::is($request->header('content-length'), length $::odd, 'length');
    Test::More::is($request->header('transfer-encoding'), undef, 'no chunks');
}



=== TEST 8: a body in a temporary file arrives whole
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_credential signature $TEST_NGINX_SECRET;
    client_body_in_file_only clean;
    codat_forward * /app format=raw;
    codat_forward * /app/again format=raw;
}
location /app { internal; proxy_pass http://$TEST_NGINX_APP; }
--- request eval
"POST /hook\n$::odd"
--- more_headers eval
signed_headers($::secret, $::odd) . "Content-Length: " . length $::odd
--- response_body_like: "result":"accepted"
--- seen eval
sub {
    Test::More::is(scalar @_, 2, 'twice');
    Test::More::is($_->{body}, $::odd, "the body to $_->{uri}") for @_;
}



=== TEST 9: raw and other formats stand side by side
--- http_config
codat_format line type=text/x-line "$codat_event_type $codat_event_id";
--- config
location = /hook {
    codat_webhook zone=codat;
    codat_credential signature $TEST_NGINX_SECRET;
    codat_forward * /app/raw format=raw;
    codat_forward * /app/event;
    codat_forward * /app/named format=cloudevents;
    codat_forward * /app/line format=line;
}
location /app { internal; proxy_pass http://$TEST_NGINX_APP; }
--- request eval
"POST /hook\n$::odd"
--- more_headers eval
signed_headers($::secret, $::odd, id => 'msg_9')
    . "X-Codat-ClientId: client-9\nContent-Length: " . length $::odd
--- response_body_like: "result":"accepted"
--- seen eval
sub {
    my %by = map { $_->{uri} => $_ } @_;
    Test::More::is_deeply([CORE::sort keys %by], [qw(/app/event /app/line
                          /app/named /app/raw)], 'four requests');
    Test::More::is($by{'/app/raw'}{body}, $::odd, 'raw');
    Test::More::is($by{'/app/line'}{body}, 'company.created evt-raw', 'line');
    Test::More::is($by{'/app/line'}->header('content-type'), 'text/x-line',
                   'its type');
    Test::More::is($by{'/app/event'}->json->{id}, 'evt-raw', 'cloudevent');
    Test::More::is($by{'/app/event'}{body}, $by{'/app/named'}{body},
                   'cloudevents is the default');
    for my $uri (qw(/app/event /app/named /app/line)) {
        Test::More::is($by{$uri}->header('webhook-signature'), undef,
                       "$uri: no signature");
        Test::More::is($by{$uri}->header('x-codat-clientid'), undef,
                       "$uri: no header of the client");
        Test::More::is($by{$uri}->header('webhook-id'), 'msg_9',
                       "$uri: webhook-id");
    }
}
