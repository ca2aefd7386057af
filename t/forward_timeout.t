# codat_forward_timeout: what Codat is told when the application is slow, and
# what becomes of an answer that comes late.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use Test::More;
use Time::HiRes qw(time sleep);


my $app = CodatTest::Upstream->new(handler => sub {
    my ($status, $delay) = $_[0]{uri} =~ m{^/(\d+)/([\d.]+)};
    return { status => $status, delay => slow($delay) };
});

my %conf = (
    http => <<'EOC',
        codat_zone       zone=codat:1m;
        codat_credential bearer sesame;
        codat_forward_timeout 300ms;
        log_format short '$uri $status $codat_result';
EOC
    server => <<"EOC",
        access_log logs/access.log short;
        location = /late {
            codat_webhook zone=codat;
            codat_forward * /app/200/2;
        }
        location = /late-failure {
            codat_webhook zone=codat;
            codat_forward * /app/500/1;
        }
        location = /half {
            codat_webhook zone=codat;
            codat_forward * /app/200/0;
            codat_forward * /app/500/1;
        }
        location = /both {
            codat_webhook zone=codat;
            codat_forward * /app/200/1;
            codat_forward * /app/500/0;
        }
        location = /optional {
            codat_webhook zone=codat;
            codat_forward * /app/200/1.5 optional;
            codat_forward * /app/200/0;
        }
        location = /failed-optional {
            codat_webhook zone=codat;
            codat_forward * /app/200/1.5 optional;
            codat_forward * /app/500/0;
        }
        location = /quick {
            codat_webhook zone=codat;
            codat_forward_timeout 5s;
            codat_forward * /app/200/0.1;
        }
        location = /upstream-timeout {
            codat_webhook zone=codat;
            codat_forward_timeout 10s;
            codat_forward * /short/200/5;
        }
        location = /own-limit {
            codat_webhook zone=codat;
            codat_forward_timeout 1500ms;
            codat_forward * /app/200/0.8;
        }
        location /app/ { internal; proxy_pass http://@{[$app->address]}/; }
        location /short/ {
            internal;
            proxy_read_timeout 300ms;
            proxy_pass http://@{[$app->address]}/;
        }
EOC
);

# the application is as much slower
s/(_timeout )(\d+)(m?s);/$1 . slow($2) . "$3;"/ge for values %conf;

my $nginx = CodatTest::Nginx->new(conf => \%conf)->start;

my $body = body('bills.write.successful', event_id => 'evt');
my $refused = qr/"code":"in_progress"/;


sub deliver {
    my ($path, $id, $client) = @_;

    my @request = ('POST', $path, { Authorization => 'Bearer sesame',
                                    'Content-Type' => 'application/json',
                                    'webhook-id' => $id }, $body);
    return $client ? $client->request(@request) : $nginx->request(@request);
}


# until it is no longer "in progress"; the last answer

sub deliver_until_done {
    my ($path, $id) = @_;

    my $until = time + slow(15);
    while (1) {
        my $response = deliver($path, $id) // return;
        return $response
            if $response->body !~ $refused || time > $until;
        sleep(0.05);
    }
}


sub is_result {
    my ($response, $status, $result, $name) = @_;

    is($response->status, $status, "$name: status");
    is($response->json->{$status == 200 ? 'result' : 'code'}, $result,
       "$name: result");
}


subtest 'the application is late: 504, and its success counts nevertheless'
=> sub {
    $app->reset;
    $nginx->mark;

    my $client = $nginx->client;
    my $start = time;
    my $response = deliver('/late', 'late', $client);
    my $took = time - $start;

    cmp_ok($took, '>=', 0.29, 'not before the time is up');
    cmp_ok($took, '<', slow(1.9), 'and not when the application answers');

    is($response->status, 504, 'status');
    is($response->header('content-type'), 'application/problem+json', 'type');
    is_deeply($response->json, {
        title => 'The application did not answer in time', status => 504,
        code => 'forward_timeout',
        detail => 'the forward to "/app/200/2" was not answered within '
            . 'codat_forward_timeout',
    }, 'problem');
    is($response->header('connection'), 'close', 'the connection will close');
    is($response->header('retry-after'), undef, 'no Retry-After');

    my $copy = deliver('/late', 'late');
    is_result($copy, 503, 'in_progress', 'a copy while it runs');
    is($copy->header('retry-after'), 5, 'Retry-After: 5');
    is($copy->header('content-type'), 'application/problem+json', 'type');

    is_result(deliver('/late', 'another'), 504, 'forward_timeout',
              'another message is not held up');

    ok($client->closed(10), 'the connection closes, nothing more is sent');

    is_result(deliver_until_done('/late', 'late'), 200, 'accepted',
              'Codat tries again');
    is_result(deliver('/late', 'late'), 200, 'duplicate', 'and again');
    is_result(deliver_until_done('/late', 'another'), 200, 'accepted',
              'Codat tries the other one again');
    is(scalar $app->requests, 2, 'the application was asked once for each');

    like($nginx->error_log,
         qr/\[error\].*codat: webhook refused, code: forward_timeout, /,
         'logged');
    my $log = $nginx->access_log;
    like($log, qr{^/late 503 in_progress$}m, '$codat_result of the copy');
    like($log, qr{^/late 504 forward_timeout$}m, 'and of the first');
};


subtest 'a late failure: the next attempt asks the application again' => sub {
    $app->reset;

    is_result(deliver('/late-failure', 'lf'), 504, 'forward_timeout', 'first');
    is_result(deliver('/late-failure', 'lf'), 503, 'in_progress', 'a copy');

    my $response = deliver_until_done('/late-failure', 'lf');
    is_result($response, 504, 'forward_timeout', 'second');
    is(scalar $app->requests, 2, 'asked twice');

    ok($nginx->wait_idle(10), 'and it ends');
    like($nginx->error_log,
         qr/codat: forward to "\/app\/500\/1" failed, status: 500/, 'logged');
};


subtest 'of two forwards only the one that was late and failed is repeated'
=> sub {
    $app->reset;

    is_result(deliver('/half', 'half'), 504, 'forward_timeout', 'first');
    is_result(deliver_until_done('/half', 'half'), 504, 'forward_timeout',
              'second');

    is_deeply([sort map { $_->{uri} } $app->requests],
              ['/200/0', '/500/1', '/500/1'], 'what the application saw');
    ok($nginx->wait_idle(10), 'idle');
};


subtest 'of two forwards one failed and one is late: 502, and the late success'
. ' is not repeated' => sub {
    $app->reset;

    my $response = deliver('/both', 'both');
    is_result($response, 502, 'forward_failed', 'first');
    like($response->json->{detail}, qr{"/app/500/0" .* 500}, 'which one');
    is($response->header('connection'), 'close', 'the connection will close');

    is_result(deliver_until_done('/both', 'both'), 502, 'forward_failed',
              'second');
    is_deeply([sort map { $_->{uri} } $app->requests],
              ['/200/1', '/500/0', '/500/0'], 'what the application saw');
    ok($nginx->wait_idle(10), 'idle');
};


subtest 'an optional forward that is still running at the answer' => sub {
    $app->reset;

    my $client = $nginx->client;
    my $start = time;
    my $response = deliver('/optional', 'opt', $client);

    cmp_ok(time - $start, '<', slow(1.4), 'is not waited for');
    is_result($response, 200, 'accepted', 'accepted');
    is($response->header('connection'), 'close', 'the connection will close');
    is_result(deliver('/optional', 'opt'), 200, 'duplicate', 'a copy');

    ok($client->closed(10), 'it closes when that forward has ended');
    cmp_ok(time - $start, '>=', 1.4, 'and not before');
    is(scalar $app->requests, 2, 'each forward ran once');
};


subtest 'a required forward failed: an optional one that still runs holds up no retry' => sub {
    $app->reset;

    is_result(deliver('/failed-optional', 'fo'), 502, 'forward_failed',
              'refused');
    is_result(deliver('/failed-optional', 'fo'), 502, 'forward_failed',
              'a copy meanwhile');
    ok($nginx->wait_idle(10), 'idle');
    is_result(deliver('/failed-optional', 'fo'), 502, 'forward_failed',
              'a copy afterwards');
    is_deeply([sort map { $_->{uri} } $app->requests],
              ['/200/1.5', '/500/0', '/500/0', '/500/0'],
              'the optional one is not repeated');
};


subtest 'in time: the connection is kept, and the timer does no harm' => sub {
    $app->reset;

    my $client = $nginx->client;
    for my $n (1 .. 3) {
        my $response = deliver('/quick', "quick-$n", $client);
        is_result($response, 200, 'accepted', "request $n");
        is($response->header('connection'), 'keep-alive', "kept after $n");
    }

    is_result(deliver('/own-limit', 'own'), 200, 'accepted',
              'slower than the time of the server, not of the location');
    is(scalar $app->requests, 4, 'four requests');
    $client->close;
};


subtest 'a timeout of the location itself is a failure like others' => sub {
    is_result(deliver('/upstream-timeout', 'ut'), 502, 'forward_failed',
              'refused');
    like($nginx->error_log,
         qr/codat: forward to "\/short\/200\/5" failed, status: 504/,
         'logged');
};


subtest 'the client leaves: the forward goes on and counts' => sub {
    $app->reset;

    my $client = $nginx->client;
    $client->send($client->build('POST', '/own-limit',
        { Authorization => 'Bearer sesame', 'webhook-id' => 'gone' }, $body));
    is(scalar $app->wait_requests(1), 1, 'the application has got it');
    $client->abort;

    is_result(deliver_until_done('/own-limit', 'gone'), 200, 'duplicate',
              'Codat tries again');
    is(scalar $app->requests, 1, 'the application was asked once');
};


ok($nginx->wait_idle(10), 'no connection is left');
ok($nginx->stop, 'nginx ends in time');
no_bad_log($nginx);

done_testing();
