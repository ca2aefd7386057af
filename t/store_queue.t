# Webhooks that are answered once they are stored, and delivered from there:
# at once, again after a failure, one at a time where that is wanted, and also
# after all processes were killed.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Upstream;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time sleep);


my $app = CodatTest::Upstream->new(answer => { status => 204 });
my $http = 'codat_zone zone=codat:2m store=sqlite:{{prefix}}/codat.db;'
    . ' codat_credential bearer sesame; codat_retry 1s 1s;';
my $server = <<"EOC";
    location /codat/  { codat_status zone=codat; }
    location /app/ {
        internal;
        proxy_set_header X-Attempt \$codat_attempt;
        proxy_set_header X-Reference \$codat_reference;
        proxy_pass http://@{[$app->address]};
    }
    location = /hook  { codat_webhook zone=codat;
                        codat_forward *.write.*
                                      /app/write?tenant=\$arg_tenant; }
    location = /raw   { codat_webhook zone=codat;
                        codat_forward * /app/raw format=raw; }
    location = /two   { codat_webhook zone=codat;
                        codat_forward * /app/a; codat_forward * /app/b; }
    location = /max   { codat_webhook zone=codat;
                        codat_forward * /app/max max=2; }
    location = /order { codat_webhook zone=codat;
                        codat_forward * /app/order order=company; }
    location = /if    { codat_webhook zone=codat;
                        codat_forward * /app/if if=\$codat_reference; }
    location = /sync  { codat_webhook zone=codat delivery=sync;
                        codat_forward * /app/sync; }
EOC

my $nginx = CodatTest::Nginx->new(level => 'info', workers => 2,
    conf => { http => $http, server => $server })->start;


sub hook {
    my ($path, $body, %headers) = @_;

    return $nginx->client(timeout => 20)->request('POST', $path,
        { Authorization => 'Bearer sesame', Connection => 'close',
          'Content-Type' => 'application/json', %headers }, $body);
}


sub row {
    my $response = $nginx->client->request('GET', "/codat/$_[0]",
        { Connection => 'close' });

    return $response->status == 200 ? $response->json : undef;
}


# what the database says, while nginx goes on with it

sub sql {
    my $sql = shift;

    my @lines = qx(sqlite3 -readonly @{[$nginx->prefix]}/codat.db "$sql" 2>&1);
    chomp @lines;

    return wantarray ? @lines : $lines[0];
}


sub wait_sql {
    my ($sql, $want, $timeout) = @_;

    my $until = time + slow($timeout // 8);
    my $got;
    while (time < $until) {
        $got = join(' ', sql($sql));
        last if $got eq $want;
        sleep(0.05);
    }

    return is($got, $want, $sql);
}


sub headers {
    my $request = shift;

    return { map { lc $_->[0] => $_->[1] } @{$request->{headers}} };
}


my $success = body('invoices.write.successful', push_key => uuid());

subtest 'an event is answered 202 and delivered once' => sub {
    my $response = hook('/hook?tenant=7', $success, 'webhook-id' => 'msg_1');
    is($response->status, 202, 'status');
    is($response->json->{result}, 'queued', 'result');

    my ($request) = $app->wait_requests(1);
    my $headers = headers($request);
    is($request->{method}, 'POST', 'method');
    is($request->{uri}, '/app/write?tenant=7',
       'URI, with an argument of the webhook');
    is($headers->{'webhook-id'}, 'msg_1', 'key of idempotency');
    is($headers->{'x-attempt'}, 1, 'attempt');
    is($headers->{authorization}, undef, 'no credentials');
    is(JSON::PP::decode_json($request->{body})->{type},
       'io.codat.invoices.write.successful', 'CloudEvent');

    wait_sql('SELECT state, attempts, last_status FROM delivery',
             'delivered|1|204');

    $response = hook('/hook', $success, 'webhook-id' => 'msg_1');
    is($response->status, 200, 'a copy: status');
    is($response->json->{result}, 'duplicate', 'a copy: result');
    sleep(0.3);
    is(scalar $app->requests, 1, 'a copy is not delivered');
};


subtest 'an event that nobody wants is answered 200' => sub {
    my $response = hook('/hook', body('connection.connected'),
                        'webhook-id' => 'msg_2');
    is($response->status, 200, 'status');
    is($response->json->{result}, 'accepted', 'result');
    is(scalar sql("SELECT state FROM event WHERE webhook_id = 'msg_2'"),
       'accepted', 'it is stored');
    is(scalar $app->requests, 1, 'and not delivered');
};


subtest 'format=raw has the headers and the body that were sent' => sub {
    $app->reset;
    my $body = '{ "eventType" : "company.updated", "id":"raw-1" }';
    is(hook('/raw', $body, 'webhook-id' => 'msg_raw',
            'webhook-timestamp' => 1234567890,
            'webhook-signature' => 'v1,abc')->status, 202, 'status');
    my ($request) = $app->wait_requests(1);
    my $headers = headers($request);
    is($request->{body}, $body, 'body');
    is(join(' ', map { $headers->{"webhook-$_"} } qw(id timestamp signature)),
       'msg_raw 1234567890 v1,abc', 'headers');
    is($headers->{'content-type'}, 'application/json', 'type');
    is(join(' ', grep { $_ ne 'connection' } sort keys %$headers),
       'content-length content-type host webhook-id webhook-signature '
       . 'webhook-timestamp x-attempt', 'and no others');
};


subtest 'what fails is tried again, each forward by itself' => sub {
    $app->reset;
    $app->stop;
    my $key = uuid();
    is(hook('/two', body('bills.write.successful', push_key => $key),
            'webhook-id' => 'msg_two')->status, 202,
       'the application is down, and the webhook is answered');
    wait_sql("SELECT min(attempts), max(last_status) FROM delivery"
             . " WHERE route LIKE '%/app/_ cloudevents' AND attempts > 0",
             '1|502');
    is(row("pushes/$key")->{status}, 'Success', 'the state is known');

    $app->start;
    my @requests = $app->wait_requests(2, 10);
    is(join(' ', sort map { $_->{uri} } @requests), '/app/a /app/b', 'both');
    cmp_ok(headers($_)->{'x-attempt'}, '>', 1, 'not the first attempt')
        for @requests;
    is(headers($_)->{'webhook-id'}, 'msg_two', 'the same key') for @requests;
};


subtest 'what has failed too often is dead' => sub {
    $app->reset;
    $app->answer(status => 500);
    is(hook('/hook', body('bills.write.unsuccessful', push_key => uuid()),
            'webhook-id' => 'msg_dead')->status, 202, 'status');
    wait_sql("SELECT d.state, d.attempts, last_status, last_error"
             . " FROM delivery d JOIN event e ON e.id = d.event"
             . " WHERE webhook_id = 'msg_dead'",
             'dead|3|500|answered with status 500', 12);
    is(join(' ', map { headers($_)->{'x-attempt'} } $app->requests), '1 2 3',
       'attempts');
    like($nginx->error_log(all => 1), qr/\[error\].*attempt 3.*is given up/,
         'is logged');
    $app->answer(status => 204);
};


subtest 'Retry-After is heeded' => sub {
    $app->reset;
    $app->answer(status => 503, headers => [['Retry-After', 3]]);
    my $begin = time;
    is(hook('/hook', body('bills.write.successful', push_key => uuid()),
            'webhook-id' => 'msg_later')->status, 202, 'status');
    $app->wait_requests(1);
    sleep(0.2);
    $app->answer(status => 204);
    $app->wait_requests(2, 10);
    my @times = map { $_->{time} } $app->requests;
    cmp_ok($times[1] - $times[0], '>=', 2.9, 'not before');
};


subtest 'max= bounds what runs at a time, over all workers' => sub {
    $app->reset;
    $app->answer(status => 200, delay => 0.5);
    is(hook('/max', body('items.write.successful', push_key => uuid()),
            'webhook-id' => "msg_max_$_")->status, 202, "event $_")
        for 1 .. 6;
    my @requests = $app->wait_requests(6, 15);
    is(scalar @requests, 6, 'all come');

    my @times = sort { $a <=> $b } map { $_->{time} } @requests;
    my $most = 0;
    for my $i (0 .. $#times) {
        my $at_once = grep { $_ >= $times[$i] && $_ < $times[$i] + 0.45 }
            @times;
        $most = $at_once if $at_once > $most;
    }
    cmp_ok($most, '<=', 2, 'never more than two');
    $app->answer(status => 204);
};


subtest 'order=company keeps the order of a company' => sub {
    $app->reset;
    my @companies = (uuid(), uuid());
    $app->answer(status => 500);
    for my $n (1 .. 4) {
        for my $i (0, 1) {
            is(hook('/order', body('items.write.successful',
                                   company => $companies[$i],
                                   push_key => uuid()),
                    'webhook-id' => "msg_o$i$n")->status, 202, "event $i $n");
        }
    }
    $app->wait_requests(2);
    $app->answer(status => 204);
    wait_sql("SELECT count(*) FROM delivery d WHERE state = 'delivered' AND"
             . " route LIKE '%/app/order %'", 8, 15);

    my @seen = map { headers($_)->{'webhook-id'} } $app->requests;
    for my $i (0, 1) {
        my @mine = grep { /^msg_o$i/ } @seen;
        my %first;
        @mine = grep { !$first{$_}++ } @mine;
        is("@mine", join(' ', map { "msg_o$i$_" } 1 .. 4), "company $i");
    }
};


subtest 'references are known to conditions and deliveries' => sub {
    $app->reset;
    my $key = uuid();
    is($nginx->client->request('PUT', "/codat/pushes/$key",
           { Connection => 'close' }, '{"reference":"expense-17"}')->status,
       201, 'registered');
    is(hook('/if', body('items.write.successful', push_key => $key),
            'webhook-id' => 'msg_if')->json->{result}, 'queued', 'queued');
    my ($request) = $app->wait_requests(1);
    is(headers($request)->{'x-reference'}, 'expense-17', 'reference');
    is(hook('/if', body('items.write.successful', push_key => uuid()),
            'webhook-id' => 'msg_if2')->json->{result}, 'accepted',
       'without one');
};


subtest 'delivery=sync has a store too' => sub {
    $app->reset;
    $app->answer(status => 500);
    my $body = body('items.write.successful', push_key => uuid());
    is(hook('/sync', $body, 'webhook-id' => 'msg_sync')->status, 502,
       'the application refuses');
    wait_sql("SELECT state FROM event WHERE webhook_id = 'msg_sync'",
             'failed');
    $app->answer(status => 204);
    is(hook('/sync', $body, 'webhook-id' => 'msg_sync')->json->{result},
       'accepted', 'the next one is accepted');
    wait_sql("SELECT state, attempts FROM event"
             . " WHERE webhook_id = 'msg_sync'", 'accepted|2');
    is(scalar $app->requests, 2, 'requests');
};


subtest 'all processes are killed: nothing is lost' => sub {
    $app->reset;
    $app->answer(status => 503);
    my $key = uuid();
    my $body = body('items.write.successful', push_key => $key);
    is(hook('/hook', $body, 'webhook-id' => 'msg_kill')->status, 202,
       'status');
    # one that is still on its way would be taken for the next one
    $app->wait_requests(1);
    kill('KILL', $nginx->pid, $nginx->pids(all => 1));
    $nginx->stop;
    $app->answer(status => 204);
    $app->reset;
    $nginx->start;

    my ($request) = $app->wait_requests(1, 40);
    is(headers($request)->{'webhook-id'}, 'msg_kill', 'it is delivered');

    my $until = time + slow(5);
    sleep(0.05) while time < $until && !row("pushes/$key");
    is((row("pushes/$key") // {})->{status}, 'Success', 'the push is known');
    is(hook('/hook', $body, 'webhook-id' => 'msg_kill')->json->{result},
       'duplicate', 'and so is the message');
    is(hook('/sync', body('items.write.successful', push_key => uuid()),
            'webhook-id' => 'msg_sync')->json->{result},
       'duplicate', 'also one that was not queued');
};


subtest 'a worker that dies leaves its deliveries to others' => sub {
    $app->reset;
    $app->answer(status => 200, delay => 30);
    is(hook('/hook', body('items.write.successful', push_key => uuid()),
            'webhook-id' => 'msg_worker')->status, 202, 'status');
    $app->wait_requests(1);
    sleep(0.3);                 # it knows its answer
    $app->answer(status => 204);
    my $begin = time;
    kill('KILL', $nginx->pids);
    my @requests = $app->wait_requests(2, 40);
    cmp_ok(time - $begin, '<', slow(12), 'long before its lease ends');
    is(scalar @requests, 2, 'it is delivered again')
        or diag(time, ' ', join("\n", sql('SELECT id, event, route, state,'
            . ' attempts, next_at, owner, lease FROM delivery')));
    is(headers($requests[1])->{'webhook-id'}, 'msg_worker', 'the same key');
};


subtest 'a reload lets deliveries end' => sub {
    $app->reset;
    $app->answer(status => 200, delay => 1.5);
    is(hook('/hook', body('items.write.successful', push_key => uuid()),
            'webhook-id' => 'msg_reload')->status, 202, 'status');
    $app->wait_requests(1);
    ok($nginx->reload, 'reloaded');
    wait_sql("SELECT d.state, d.attempts FROM delivery d JOIN event e"
             . " ON e.id = d.event WHERE webhook_id = 'msg_reload'",
             'delivered|1');
    is(scalar $app->requests, 1, 'one request');
    $app->answer(status => 204);
};


is(scalar sql('PRAGMA integrity_check'), 'ok', 'the database is sound');
ok($nginx->stop, 'all processes end');

my @bad = grep { !/exited on signal 9|was locked by/ }
    grep { /\[(alert|crit|emerg)\]/ }
    split /\n/, $nginx->error_log(all => 1);
is("@bad", '', 'nothing worse was logged');

done_testing;
