# Events of a zone with a store: lists and single ones with their deliveries,
# also after a restart; replay and cancel, of one and of many; figures of the
# store, and its health.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Metrics;
use CodatTest::Upstream;
use Test::More;
use Time::HiRes qw(time sleep);


my $app = CodatTest::Upstream->new(answer => { status => 204 });
my $http = 'codat_zone zone=codat:2m store=sqlite:{{prefix}}/codat.db;'
    . ' codat_zone zone=plain:2m;'
    . ' codat_credential bearer sesame; codat_retry 1h;';
my $common = <<"EOC";
    location /codat/  { codat_status zone=codat; }
    location /plain/  { codat_status zone=plain; }
    location /app/ {
        internal;
        proxy_set_header X-Attempt \$codat_attempt;
        proxy_pass http://@{[$app->address]};
    }
    location = /sync  { codat_webhook zone=codat delivery=sync;
                        codat_forward * /app/sync; }
EOC
my $server = <<"EOC";
    $common
    location = /hook  { codat_webhook zone=codat;
                        codat_forward *.write.* /app/write;
                        codat_forward * /app/all; }
    location = /order { codat_webhook zone=codat;
                        codat_forward * /app/order order=company; }
    location = /gone  { codat_webhook zone=codat;
                        codat_forward * /app/gone; }
EOC

my $nginx = CodatTest::Nginx->new(level => 'info', workers => 2,
    conf => { http => $http, server => $server })->start;

my $company = uuid();


sub hook {
    my ($path, $body, %headers) = @_;

    return $nginx->client(timeout => 20)->request('POST', $path,
        { Authorization => 'Bearer sesame', Connection => 'close',
          'Content-Type' => 'application/json', %headers }, $body);
}


sub api {
    my ($method, $path, $body) = @_;

    return $nginx->client(timeout => 20)->request($method, "/codat/$path",
        { Connection => 'close' }, $body);
}


sub event { return api('GET', "events/$_[0]")->json }


# the states of an event's deliveries, in the order in which they were made

sub states {
    return join ' ', map { $_->{state} } @{event($_[0])->{deliveries}};
}


sub wait_states {
    my ($id, $want) = @_;

    my $until = time + slow(10);
    my $got;
    while (time < $until) {
        $got = states($id);
        last if $got eq $want;
        sleep(0.05);
    }

    return is($got, $want, "deliveries of $id");
}


sub ids {
    my $response = api('GET', "events?$_[0]");

    return join ' ', map { $_->{webhookid} } @{$response->json->{results}};
}


sub headers {
    my $request = shift;

    return { map { lc $_->[0] => $_->[1] } @{$request->{headers}} };
}


sub problem {
    my ($response, $status, $code, $title) = @_;

    return subtest $title => sub {
        is($response->status, $status, 'status');
        is($response->header('content-type'), 'application/problem+json',
           'type');
        is($response->header('cache-control'), 'no-store', 'not cached');
        is($response->json->{code}, $code, 'code');
    };
}


my $write = body('items.write.successful', push_key => uuid(),
                 company => $company);

subtest 'an event is shown with its deliveries' => sub {
    is(hook('/hook', $write, 'webhook-id' => 'msg_1')->status, 202, 'queued');
    $app->wait_requests(2);
    wait_states('msg_1', 'delivered delivered');

    my $response = api('GET', 'events/msg_1');
    is($response->status, 200, 'status');
    is($response->header('content-type'), 'application/json', 'type');
    is($response->header('cache-control'), 'no-store', 'not cached');

    my $event = $response->json;
    is($event->{type}, 'io.codat.items.write.successful', 'a CloudEvent');
    is($event->{webhookid}, 'msg_1', 'webhook id');
    like($event->{endpoint}, qr{ /hook$}, 'endpoint');
    like($event->{receivedOn}, qr/^20\d\d-.*Z$/, 'receivedOn');
    my $delivery = $event->{deliveries}[0];
    like($delivery->{route},
         qr{ /hook \*\.write\.\* /app/write cloudevents$}, 'route');
    is($delivery->{attempts}, 1, 'attempts');
    is($delivery->{lastStatus}, 204, 'lastStatus');
    like($delivery->{finishedOn}, qr/^20\d\d-.*Z$/, 'finishedOn');
    ok(!exists $delivery->{nextAttemptOn}, 'no nextAttemptOn');
    ok(!exists $delivery->{lastError}, 'no lastError');

    is(event($event->{row})->{webhookid}, 'msg_1', 'by the number of its row');
    is(event($event->{data}{eventId} // $event->{id})->{webhookid}, 'msg_1',
       'by its own id');
    $response = api('HEAD', 'events/msg_1');
    is($response->status, 200, 'HEAD: status');
    is($response->body, '', 'HEAD: no body');

    problem(api('GET', 'events/msg_0'), 404, 'not_found', 'an unknown one');
    problem(api('GET', 'events/999999'), 404, 'not_found', 'an unknown row');
};


subtest 'a delivery that failed says when and why' => sub {
    $app->answer(status => 500);
    is(hook('/hook', body('company.created'), 'webhook-id' => 'msg_2')->status,
       202, 'queued');

    my $until = time + slow(10);
    my $delivery = {};
    while (time < $until && !$delivery->{attempts}) {
        $delivery = event('msg_2')->{deliveries}[0];
        sleep(0.05);
    }
    is($delivery->{state}, 'pending', 'state');
    is($delivery->{attempts}, 1, 'attempts');
    is($delivery->{lastStatus}, 500, 'lastStatus');
    like($delivery->{lastError}, qr/500/, 'lastError');
    like($delivery->{nextAttemptOn}, qr/^20\d\d-.*Z$/, 'nextAttemptOn');
    ok(!exists $delivery->{finishedOn}, 'no finishedOn');
};


subtest 'lists have filters, and pages' => sub {
    is(ids(''), 'msg_2 msg_1', 'newest first');
    is(ids('state=pending'), 'msg_2', 'by state');
    is(ids('state=delivered'), 'msg_1', 'by another one');
    is(ids('state=dead'), '', 'by a third one');
    is(ids('eventType=*.write.*'), 'msg_1', 'by a pattern');
    is(ids('eventType=no.such,company.created'), 'msg_2', 'by one of two');
    is(ids('companyId=' . uc $company), 'msg_1', 'by company, in any case');
    is(ids('companyId=' . uuid()), '', 'by another company');

    my $from = event('msg_2')->{receivedOn};
    is(ids("from=$from"), 'msg_2', 'from a time on');
    is(ids("until=$from"), 'msg_1', 'until then');

    my $page = api('GET', 'events?limit=1')->json;
    is($page->{results}[0]{webhookid}, 'msg_2', 'a page');
    like($page->{next}, qr/^s[0-9a-f]{16}$/, 'its cursor');
    $page = api('GET', "events?limit=1&after=$page->{next}")->json;
    is($page->{results}[0]{webhookid}, 'msg_1', 'the next page');
    is($page->{next}, undef, 'is the last');

    problem(api('GET', 'events?state=lost'), 400, 'invalid_query', 'state');
    problem(api('GET', 'events?from=noon'), 400, 'invalid_query', 'from');
    problem(api('GET', 'events?eventType=a..b'), 400, 'invalid_query',
            'pattern');
    problem(api('GET', 'events?after=e0'), 400, 'invalid_cursor', 'cursor');
};


subtest 'a restart changes nothing in that' => sub {
    ok($nginx->stop, 'stopped');
    $nginx->start;
    is(ids(''), 'msg_2 msg_1', 'the list, at once');
    is(states('msg_1'), 'delivered delivered', 'and the deliveries');
};


subtest 'replay is a new delivery under a new id' => sub {
    $app->reset;
    $app->answer(status => 204);
    my $response = api('POST', 'events/msg_1/replay');
    is($response->status, 202, 'status');
    is_deeply($response->json, { replayed => 2, next => undef }, 'answer');

    my @requests = $app->wait_requests(2);
    my @ids = map { headers($_)->{'webhook-id'} } @requests;
    like($_, qr/^[0-9a-f]{32}$/, 'id') for @ids;
    isnt($ids[0], $ids[1], 'each has one of its own');
    is(headers($requests[0])->{'x-attempt'}, 1, 'first attempt');
    wait_states('msg_1', 'delivered delivered delivered delivered');
    is(join(' ', sort @ids),
       join(' ', sort map { $_->{webhookId} // () }
                 @{event('msg_1')->{deliveries}}), 'they are shown');
};


subtest 'what is not over is left alone' => sub {
    is_deeply(api('POST', 'events/msg_2/replay')->json,
              { replayed => 0, next => undef }, 'answer');
    is(states('msg_2'), 'pending', 'one delivery');
};


subtest 'cancel ends what is not over' => sub {
    my $response = api('POST', 'events/msg_2/cancel');
    is($response->status, 200, 'status');
    is_deeply($response->json, { canceled => 1, next => undef }, 'answer');
    is(states('msg_2'), 'canceled', 'it is canceled');
    is_deeply(api('POST', 'events/msg_2/cancel')->json,
              { canceled => 0, next => undef }, 'only once');
    problem(api('POST', 'events/msg_0/cancel'), 404, 'not_found', 'unknown');
};


subtest 'events of a company' => sub {
    my ($one, $two) = (uuid(), uuid());
    my $upper = body('items.write.successful', push_key => uuid(),
                     company => uc $one);
    for my $n (1 .. 3) {
        for ([$one, "msg_c1$n"], [$two, "msg_c2$n"]) {
            is(hook('/hook', body('items.write.successful',
                                  push_key => uuid(), company => $_->[0]),
                    'webhook-id' => $_->[1])->status, 202, $_->[1]);
        }
    }
    is(hook('/hook', $upper, 'webhook-id' => 'msg_c14')->status, 202,
       'one in upper case');
    wait_states('msg_c14', 'delivered delivered');
    wait_states('msg_c23', 'delivered delivered');

    is(ids("companyId=$one"), 'msg_c14 msg_c13 msg_c12 msg_c11', 'newest first');
    is(ids("companyId=" . uc $two), 'msg_c23 msg_c22 msg_c21',
       'however it is written');
    is(ids("companyId=$one&state=delivered"),
       'msg_c14 msg_c13 msg_c12 msg_c11', 'with a state');
    is(ids("companyId=$one&state=dead"), '', 'with another one');
    is(ids("companyId=$one"), 'msg_c14 msg_c13 msg_c12 msg_c11',
       'without one again');
    is(ids("companyId=$one&eventType=items.*.*&limit=3"),
       'msg_c14 msg_c13 msg_c12', 'with a type, in part');
    my $next = api('GET', "events?companyId=$one&limit=3")->json->{next};
    is(ids("companyId=$one&limit=3&after=$next"), 'msg_c11', 'and the rest');
    is(ids('companyId=' . uuid()), '', 'none');
};


subtest 'dead letters are replayed, those alone' => sub {
    $app->reset;
    $app->answer(status => 204);
    is(hook('/hook', body('items.write.successful', push_key => uuid()),
            'webhook-id' => "msg_d$_")->status, 202, "event $_") for 1 .. 3;
    wait_states("msg_d$_", 'delivered delivered') for 1 .. 3;

    # as after the last retry

    my $sql = "UPDATE delivery SET state = 'dead', last_status = 503"
        . " WHERE route LIKE '%/app/write%' AND event IN"
        . " (SELECT id FROM event WHERE webhook_id LIKE 'msg_d%')";
    is(system('sqlite3', '-cmd', '.timeout 5000',
              $nginx->prefix . '/codat.db', $sql), 0, 'they die');
    is(ids('state=dead'), 'msg_d3 msg_d2 msg_d1', 'they are listed');

    $app->reset;
    my $answer = api('POST', 'events/replay?state=dead&limit=2')->json;
    is($answer->{replayed}, 2, 'the first two');
    like($answer->{next}, qr/^s/, 'there are more');
    is_deeply(api('POST',
                  "events/replay?state=dead&after=$answer->{next}")->json,
              { replayed => 1, next => undef }, 'the last one');
    my @requests = $app->wait_requests(3);
    is(join(' ', map { $_->{uri} } @requests), '/app/write ' x 2
       . '/app/write', 'only the forward that had failed');
    wait_states("msg_d$_", 'delivered delivered') for 1 .. 3;
    is(ids('state=dead'), '', 'none is left');
};


subtest 'dead letters that nobody wants are canceled' => sub {
    is(system('sqlite3', '-cmd', '.timeout 5000',
              $nginx->prefix . '/codat.db',
              "UPDATE delivery SET state = 'dead' WHERE event IN"
              . " (SELECT id FROM event WHERE webhook_id = 'msg_d1')"), 0,
       'they die');
    is_deeply(api('POST', 'events/cancel?state=dead&companyId='
                  . uuid())->json, { canceled => 0, next => undef },
              'not of another company');
    is_deeply(api('POST', 'events/cancel?state=dead')->json,
              { canceled => 2, next => undef }, 'answer');
    is(states('msg_d1'), 'canceled canceled', 'states');
};


subtest 'order= holds for replays too' => sub {
    $app->answer(status => 500);
    hook('/order', body('company.created', company => $company),
         'webhook-id' => 'msg_o1');
    my $until = time + slow(10);
    sleep(0.05)
        while time < $until && !event('msg_o1')->{deliveries}[0]{attempts};
    hook('/order', body('company.created', company => $company),
         'webhook-id' => 'msg_o2');
    is(states('msg_o2'), 'blocked', 'the second one waits');
    is(ids('state=blocked'), 'msg_o2', 'and is listed');
    is(system('sqlite3', '-cmd', '.timeout 5000',
              $nginx->prefix . '/codat.db',
              "UPDATE delivery SET state = 'dead' WHERE event = "
              . event('msg_o1')->{row} . "; UPDATE delivery SET"
              . " state = 'pending', next_at = next_at + 3600000000"
              . " WHERE state = 'blocked'"), 0, 'the first one dies');
    is(api('POST', 'events/msg_o1/replay')->json->{replayed}, 1, 'replayed');
    is(states('msg_o1'), 'blocked', 'it waits for the second one');
    is(api('POST', 'events/msg_o2/cancel')->json->{canceled}, 1, 'canceled');
    $app->answer(status => 204);
    wait_states('msg_o1', 'delivered');
};


subtest 'an event needs a forward to be replayed' => sub {
    is(hook('/sync', body('company.created'),
            'webhook-id' => 'msg_s')->status, 200, 'forwarded at once');
    is_deeply(event('msg_s')->{deliveries}, [], 'no deliveries');
    problem(api('POST', 'events/msg_s/replay'), 409, 'no_forward',
            'no queue');
    problem(api('POST', 'events/msg_0/replay'), 404, 'not_found', 'unknown');
    is(api('POST', 'events/replay?companyId=' . uuid())->json->{replayed}, 0,
       'many: none');

    hook('/gone', body('company.created'), 'webhook-id' => 'msg_g');
    wait_states('msg_g', 'delivered');
    $nginx->reload(server => $common);
    my $response = api('POST', 'events/msg_g/replay');
    problem($response, 409, 'no_forward', 'the endpoint has gone');
    $nginx->reload(server => $server);
};


subtest 'methods and arguments' => sub {
    for my $case (['POST', 'events', 'GET, HEAD'],
                  ['POST', 'events/msg_1', 'GET, HEAD'],
                  ['DELETE', 'events/msg_1', 'GET, HEAD'],
                  ['GET', 'events/replay', 'POST'],
                  ['GET', 'events/msg_1/replay', 'POST'],
                  ['PUT', 'events/msg_1/cancel', 'POST'])
    {
        my ($method, $path, $allow) = @$case;
        my $response = api($method, $path);
        problem($response, 405, 'method_not_allowed', "$method $path");
        is($response->header('allow'), $allow, 'Allow');
    }

    problem(api('POST', 'events/replay'), 400, 'invalid_query',
            'a replay of everything');
    problem(api('POST', 'events/cancel'), 400, 'invalid_query',
            'a cancel of everything');
    problem(api('POST', 'events/cancel?state=delivered'), 400,
            'invalid_query', 'what is over');
    problem(api('POST', 'events/msg_1/replay?state=dead'), 400,
            'invalid_query', 'an argument too many');
    is(api('POST', 'events/msg_1/cancel', 'x' x 100_000)->status, 200,
       'a body does not matter');
};


subtest 'a zone without a store has none of it' => sub {
    my $plain = sub {
        return $nginx->client->request($_[0], "/plain/$_[1]",
                                       { Connection => 'close' });
    };
    problem($plain->('GET', 'events/msg_1'), 404, 'not_found', 'one');
    problem($plain->('POST', 'events/msg_1/replay'), 404, 'not_found',
            'replay');
    problem($plain->('GET', "events?$_"), 400, 'invalid_query', $_)
        for 'state=dead', 'from=2024-01-01T00:00:00Z';
    ok(!exists $plain->('GET', '')->json->{store}, 'overview');
    unlike($plain->('GET', 'metrics')->body, qr/codat_store_/, 'metrics');
};


subtest 'figures of the store' => sub {
    my $until = time + slow(12);
    my $store = {};
    while (time < $until && ($store->{deliveries}{canceled} // 0) < 4) {
        $store = api('GET', '')->json->{store};
        sleep(0.1);
    }
    is($store->{failing}, JSON::PP::false(), 'failing');
    is($store->{loaded}, JSON::PP::true(), 'loaded');
    is($store->{events}, 16, 'events');
    is($store->{deliveries}{canceled}, 4, 'canceled deliveries');
    is($store->{deliveries}{dead}, 0, 'dead deliveries');
    is($store->{failures}, 0, 'failures');
    cmp_ok($store->{size}, '>', 4096, 'size');

    my $metrics = CodatTest::Metrics->new(api('GET', 'metrics')->body);
    is("@{$metrics->errors}", '', 'the page is valid');
    is(join(' ', sort grep { /^codat_store_/ } keys %{$metrics->types}),
       'codat_store_deliveries codat_store_events codat_store_failures_total'
       . ' codat_store_loaded codat_store_oldest_seconds'
       . ' codat_store_size_bytes codat_store_waiting_units', 'all metrics');
    is(join(' ', map { $_->{labels}{state} }
            $metrics->series('codat_store_deliveries')),
       'pending blocked delivered dead canceled', 'all states');
    is($metrics->value('codat_store_deliveries', zone => 'codat',
                       state => 'canceled'), 4, 'deliveries by state');
    is($metrics->value('codat_store_events', zone => 'codat'), 16, 'events');
    is($metrics->value('codat_store_failures_total', zone => 'codat'), 0,
       'failures');
    is($metrics->value('codat_store_loaded', zone => 'codat'), 1, 'loaded');
    is($metrics->value('codat_store_oldest_seconds', zone => 'codat'), 0,
       'nothing is undelivered');
};


is(api('GET', 'health')->status, 200, 'health');

subtest 'health says when the store fails' => sub {
    my $path = $nginx->prefix . '/codat.db';
    is(system('sqlite3', $path, "CREATE TRIGGER full BEFORE INSERT ON event"
              . " BEGIN SELECT RAISE(ABORT, 'test'); END"), 0, 'it is broken');
    is(hook('/hook', body('company.created'),
            'webhook-id' => 'msg_f')->status, 503, 'a webhook is refused');
    my $response = api('GET', 'health');
    is($response->status, 503, 'status');
    is_deeply($response->json, { status => 'failing', zone => 'codat' },
              'body');
    my $metrics = CodatTest::Metrics->new(api('GET', 'metrics')->body);
    cmp_ok($metrics->value('codat_store_failures_total', zone => 'codat'),
           '>', 0, 'failures');
    is(system('sqlite3', $path, 'DROP TRIGGER full'), 0, 'it is mended');
    sleep(1.1);
    is(hook('/hook', body('company.created'),
            'webhook-id' => 'msg_f')->status, 202, 'a webhook is taken');
    is(api('GET', 'health')->status, 200, 'health');
};


ok($nginx->stop, 'all processes end');

my @bad = grep { !/store .* failed: / }
    grep { /\[(alert|crit|emerg)\]/ }
    split /\n/, $nginx->error_log(all => 1);
is("@bad", '', 'nothing worse was logged');

done_testing;
