# The CloudEvent that applications get: every attribute, and the payload.

use strict;
use warnings;

use lib 't/lib';
use Test::Nginx::Socket 'no_plan';
use CodatTest;
use JSON::PP ();
use Time::Local ();

our $app = CodatTest::Upstream->new(answer => { status => 200 });
our $json = JSON::PP->new->utf8;
our $last;

$ENV{TEST_NGINX_APP} = $app->address;


# "seen" is given what the application got of one request, as
# CodatTest::Request and decoded; "event" is the whole event but for "time"
# and, in "data", "payload".

add_block_preprocessor(sub {
    my $block = shift;

    $app->reset;
    $block->set_value('http_config', <<'EOC');
codat_zone zone=codat:1m;
codat_credential bearer sesame;
EOC
    $block->set_value('config', <<'EOC');
location = /hook {
    codat_webhook zone=codat;
    codat_forward * /app;
}
location /app { internal; proxy_pass http://$TEST_NGINX_APP; }
EOC
    $block->set_value('more_headers', CORE::join("\n",
        'Authorization: Bearer sesame', $block->more_headers // ''));
    $block->set_value('response_body_like', '"result":"accepted"');
    $block->set_value('no_error_log',
                      "[alert]\n[crit]\n[emerg]\n[error]\n[warn]");
    $block->set_value('no_shutdown_error_log', "[alert]\nopen socket");
});

add_response_body_check(sub {
    my ($block) = @_;

    my @requests = $app->requests;
    my $name = $block->name;

    Test::More::is(scalar @requests, 1, "$name - one request");
    my $request = shift @requests // return;

    Test::More::is($request->header('content-type'),
                   'application/cloudevents+json', "$name - type");

    my $event = eval { $json->decode($request->{body}) };
    Test::More::is($@, '', "$name - JSON") or return;

    my ($sent) = $block->request =~ /^[^\n]*\n(.*?)\s*\z/s;
    Test::More::ok($request->{body} =~ /,?"payload":\Q$sent\E\}\}\z/,
                   "$name - the payload is the body, byte for byte");

    $block->seen->($event, $request) if $block->seen;

    if ($block->event) {
        Test::More::like(delete $event->{time},
            qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[-+]\d\d:\d\d)$/,
            "$name - time");
        Test::More::is_deeply(delete $event->{data}{payload},
                              $json->decode($sent), "$name - payload");
        Test::More::is_deeply($event, $block->event, "$name - all the rest");
    }

    $app->reset;
});

sub now_ish {
    my $time = shift;

    Test::More::like($time, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,6}Z$/,
                     'RFC 3339');
    my $seconds = eval {
        my ($y, $m, $d, $h, $min, $s)
            = $time =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)/;
        Time::Local::timegm($s, $min, $h, $d, $m - 1, $y);
    } // 0;
    Test::More::cmp_ok(abs(time - $seconds), '<', 60, 'is now');
}


master_on();
no_long_string();
run_tests();

__DATA__

=== TEST 1: a write event
--- request eval
"POST /hook\n" . body('bills.write.successful', event_id => 'evt-1',
    company => 'co-1', connection => 'cn-1', push_key => 'pk-1',
    company_name => 'Finch & Orchard', record_id => 'rec-1', client => 'cl-0',
    tags => { region => 'uk', tier => 'gold' })
--- more_headers
webhook-id: msg_1
X-Codat-ClientId: cl-1
--- event eval
{
    specversion => '1.0', id => 'evt-1',
    source => 'https://api.codat.io/clients/cl-1',
    type => 'io.codat.bills.write.successful',
    subject => 'companies/co-1/connections/cn-1',
    datacontenttype => 'application/json', webhookid => 'msg_1',
    data => {
        eventType => 'bills.write.successful',
        receivedType => 'bills.write.successful', generation => 'current',
        clientId => 'cl-1', companyId => 'co-1',
        companyName => 'Finch & Orchard', connectionId => 'cn-1',
        dataType => 'bills', pushOperationKey => 'pk-1',
        pushStatus => 'Success', pushType => 'Create', recordId => 'rec-1',
        tags => { region => 'uk', tier => 'gold' },
    },
}



=== TEST 2: a connection event
--- request eval
"POST /hook\n" . body('connection.deleted', event_id => 'evt-2',
    company => 'co-2', connection => 'cn-2', integration => 'xmpl',
    company_name => 'N', platform => 'Books', source_type => 'Accounting')
--- event eval
{
    specversion => '1.0', id => 'evt-2', source => 'https://api.codat.io',
    type => 'io.codat.connection.deleted',
    subject => 'companies/co-2/connections/cn-2',
    datacontenttype => 'application/json',
    data => {
        eventType => 'connection.deleted',
        receivedType => 'connection.deleted', generation => 'current',
        companyId => 'co-2', companyName => 'N', connectionId => 'cn-2',
        connectionStatus => 'Deleted', integrationKey => 'xmpl',
        platformName => 'Books', sourceType => 'Accounting', tags => {},
    },
}



=== TEST 3: a legacy alert
--- request eval
"POST /hook\n" . body('DataConnectionStatusChanged', event_id => 'evt-3',
    company => 'co-3', connection => 'cn-3', client => 'cl-3',
    integration => 'xmpl', status => 'Unlinked', old_status => 'Linked')
--- seen eval
sub {
    my ($event) = @_;
    Test::More::is($event->{data}{message}, $event->{data}{payload}{Message},
                   'message');
    $event->{data}{message} = 'Something changed';
}
--- event eval
{
    specversion => '1.0', id => 'evt-3',
    source => 'https://api.codat.io/clients/cl-3',
    type => 'io.codat.connection.disconnected',
    subject => 'companies/co-3/connections/cn-3',
    datacontenttype => 'application/json',
    data => {
        eventType => 'connection.disconnected',
        receivedType => 'DataConnectionStatusChanged', generation => 'legacy',
        clientId => 'cl-3', companyId => 'co-3', connectionId => 'cn-3',
        connectionStatus => 'Unlinked', previousConnectionStatus => 'Linked',
        integrationKey => 'xmpl',
        message => 'Something changed',
    },
}



=== TEST 4: an event about nothing in particular leaves out what is absent
--- request
POST /hook
{"eventType":"client.rateLimit.reset","id":"evt-4"}
--- event eval
{
    specversion => '1.0', id => 'evt-4', source => 'https://api.codat.io',
    type => 'io.codat.client.rateLimit.reset',
    datacontenttype => 'application/json',
    data => { eventType => 'client.rateLimit.reset', generation => 'current',
              receivedType => 'client.rateLimit.reset' },
}



=== TEST 5: nulls, empty strings and objects where strings belong are absent
--- request
POST /hook
{"eventType":"bills.write.successful","id":null,"generatedDate":null,"payload":{"id":"","type":{"a":1},"status":null,"connectionId":[],"referenceCompany":{"id":null,"name":7,"tags":"no"},"record":null}}
--- more_headers
webhook-id: msg_5
--- event eval
{
    specversion => '1.0', id => 'msg_5', source => 'https://api.codat.io',
    type => 'io.codat.bills.write.successful', webhookid => 'msg_5',
    datacontenttype => 'application/json',
    data => { eventType => 'bills.write.successful', dataType => 'bills',
              receivedType => 'bills.write.successful',
              generation => 'current', pushStatus => 'Success' },
}



=== TEST 6: an object that nobody can name
--- request
POST /hook
{"hello":["world"]}
--- more_headers
webhook-id: msg_6
--- event eval
{
    specversion => '1.0', id => 'msg_6', source => 'https://api.codat.io',
    type => 'io.codat.unknown', webhookid => 'msg_6',
    datacontenttype => 'application/json',
    data => { eventType => 'unknown', generation => 'current' },
}



=== TEST 7: the id where there is none anywhere is made up, and is the key
--- request
POST /hook
{"eventType":"company.created","payload":{}}
--- seen eval
sub {
    my ($event, $request) = @_;
    Test::More::like($event->{id}, qr/^[0-9a-f]{32}$/, 'an id');
    Test::More::is($request->header('webhook-id'), $event->{id}, 'the key');
    Test::More::ok(!exists $event->{webhookid}, 'no webhookid');
    Test::More::ok(!exists $event->{subject}, 'no subject');
    Test::More::isnt($event->{id}, $::last, 'another one each time');
    $::last = $event->{id};
}



=== TEST 8: made-up ids differ
--- request eval
"POST /hook\n" . '{"eventType":"company.created","payload":{}}'
--- seen eval
sub {
    my ($event) = @_;
    Test::More::isnt($event->{id}, $::last // '', 'another one each time');
    $::last = $event->{id};
}



=== TEST 9: the key is the event's id where no webhook-id was sent
--- request
POST /hook
{"eventType":"company.created","id":"evt-9","payload":{"id":"co-9"}}
--- seen eval
sub {
    my ($event, $request) = @_;
    Test::More::is($event->{id}, 'evt-9', 'id');
    Test::More::is($request->header('webhook-id'), 'evt-9', 'key');
    Test::More::is($event->{subject}, 'companies/co-9', 'company alone');
}



=== TEST 10: time is generatedDate as it was written
--- request
POST /hook
{"eventType":"company.created","id":"a","generatedDate":"2024-10-08T12:31:07.1234567Z"}
--- seen eval
sub { Test::More::is($_[0]{time}, '2024-10-08T12:31:07.1234567Z', 'time') }



=== TEST 11: a date with an offset is kept
--- request
POST /hook
{"eventType":"company.created","id":"b","generatedDate":"2024-10-08T12:31:07+01:00"}
--- seen eval
sub { Test::More::is($_[0]{time}, '2024-10-08T12:31:07+01:00', 'time') }



=== TEST 12: a date without a zone is UTC, and RFC 3339 wants that said
--- request
POST /hook
{"eventType":"company.created","id":"c","generatedDate":"2024-10-08T12:31:07"}
--- seen eval
sub { Test::More::is($_[0]{time}, '2024-10-08T12:31:07Z', 'time') }



=== TEST 13: an impossible date is replaced by the time of receipt
--- request
POST /hook
{"eventType":"client.rateLimit.reset","id":"d","generatedDate":"2024-09-01T23:59:99Z"}
--- seen eval
sub { main::now_ish($_[0]{time}) }



=== TEST 14: text that is no date is replaced by the time of receipt
--- request
POST /hook
{"eventType":"company.created","id":"e","generatedDate":"yesterday \"noon\""}
--- seen eval
sub { main::now_ish($_[0]{time}) }



=== TEST 15: without a date it is the time of receipt
--- request
POST /hook
{"eventType":"company.created","id":"f","generatedDate":1728390667}
--- seen eval
sub { main::now_ish($_[0]{time}) }



=== TEST 16: quotes, backslashes, controls and unicode in every attribute
--- request eval
"POST /hook\n" . '{"eventType":"odd.\"\\\\type\"","id":"evt \"16\"\n",'
    . '"payload":{"referenceCompany":{"id":"co/\"16\"\u0001",'
    . '"name":"\ud83d\ude00 S\u00f6hne \u2028 \"\\\\\r\n\u0000"},'
    . '"connectionId":"cn \"16"}}'
--- more_headers
webhook-id: msg"16\
X-Codat-ClientId: cl/1 6"?#%ü
--- seen eval
sub {
    my ($event, $request) = @_;
    Test::More::is($event->{id}, qq{evt "16"\n}, 'id');
    Test::More::is($event->{type}, 'io.codat.odd."\\type"', 'type');
    Test::More::is($event->{webhookid}, 'msg"16\\', 'webhookid');
    Test::More::is($event->{source}, 'https://api.codat.io/clients/'
                   . 'cl%2F1%206%22%3F%23%25%C3%BC', 'source is a URI');
    Test::More::is($event->{data}{clientId}, qq{cl/1 6"?#%\xfc}, 'client');
    Test::More::is($event->{data}{companyName},
                   qq{\x{1f600} S\xf6hne \x{2028} "\\\r\n\0}, 'name');
    Test::More::is($event->{subject},
                   qq{companies/co/"16"\x01/connections/cn "16}, 'subject');
    Test::More::unlike($request->{body}, qr/[\x00-\x1f]/,
                       'no bare control character');
}



=== TEST 17: tags are passed as they were written, with any names and values
--- request eval
"POST /hook\n" . '{"eventType":"read.completed","id":"evt-17","payload":'
    . '{"referenceCompany":{"id":"c","tags":{ "a b" : "1", "a\"b":"\u00fc",'
    . '"":"empty","n":1.50,"x":null,"a b":"2"}}}}'
--- seen eval
sub {
    my ($event, $request) = @_;
    Test::More::is_deeply($event->{data}{tags}, { 'a b' => 2, 'a"b' => "\xfc",
        '' => 'empty', n => 1.5, x => undef }, 'tags');
    Test::More::like($request->{body}, qr/"tags":\{ "a b" : "1", /, 'as sent');
}



=== TEST 18: the company's own tags
--- request
POST /hook
{"eventType":"company.created","id":"evt-18","payload":{"id":"co-18","name":"N","tags":{"t":"v"}}}
--- event eval
{
    specversion => '1.0', id => 'evt-18', source => 'https://api.codat.io',
    type => 'io.codat.company.created', subject => 'companies/co-18',
    datacontenttype => 'application/json',
    data => { eventType => 'company.created', generation => 'current',
              receivedType => 'company.created', companyId => 'co-18',
              companyName => 'N', tags => { t => 'v' } },
}



=== TEST 19: keys in any case, the last of equal ones wins
--- request
POST /hook
{"EVENTTYPE":"company.deleted","Id":"evt-19","eventtype":"company.created","PAYLOAD":{"ID":"old","id":"co-19"}}
--- event eval
{
    specversion => '1.0', id => 'evt-19', source => 'https://api.codat.io',
    type => 'io.codat.company.created', subject => 'companies/co-19',
    datacontenttype => 'application/json',
    data => { eventType => 'company.created', generation => 'current',
              receivedType => 'company.created', companyId => 'co-19' },
}



=== TEST 20: numbers are taken as ids, and strings remain strings
--- request
POST /hook
{"eventType":"bills.write.unsuccessful","id":20,"payload":{"id":12345678901234567890,"record":{"id":1.0},"status":"TimedOut","referenceCompany":{"id":7}}}
--- seen eval
sub {
    my ($event, $request) = @_;
    Test::More::is($event->{id}, '20', 'id');
    Test::More::like($request->{body}, qr/"id":"20"/, 'is a string');
    Test::More::is($event->{data}{pushOperationKey}, '12345678901234567890',
                   'as written');
    Test::More::is($event->{data}{recordId}, '1.0', 'as written');
    Test::More::is($event->{subject}, 'companies/7', 'subject');
}
