# Lists, replays and cancellations of more events than one unit of the store
# takes: a request goes on until its limit, or until its answer is large.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Upstream;
use Test::More;
use Time::HiRes qw(time sleep);

use constant EVENTS => 350;

my $app = CodatTest::Upstream->new(answer => { status => 204 });
my $nginx = CodatTest::Nginx->new(level => 'info', workers => 2, conf => {
    http => 'codat_zone zone=codat:2m store=sqlite:{{prefix}}/codat.db;'
        . ' codat_credential bearer sesame;',
    server => "
        location /codat/ { codat_status zone=codat; }
        location /app/   { internal; proxy_pass http://@{[$app->address]}; }
        location = /hook { codat_webhook zone=codat;
                           codat_forward * /app/; }" })->start;


sub sql { $nginx->sql(@_) }


sub api {
    my ($method, $path) = @_;

    return $nginx->request($method, "/codat/events$path")->json;
}


sub wait_state {
    my ($state, $want) = @_;

    my $until = time + slow(20);
    my $got;
    while (time < $until) {
        $got = sql("SELECT count(*) FROM delivery WHERE state = '$state'");
        last if $got eq $want;
        sleep(0.1);
    }

    return is($got, $want, "$want are $state");
}


# all pages of a list: the ids, in their order, and how many pages

sub pages {
    my $args = shift;

    my (@ids, $next);
    my $pages = 0;
    do {
        my $page = api(GET => "?$args" . ($next ? "&after=$next" : ''));
        push @ids, map { $_->{webhookid} } @{$page->{results}};
        $next = $page->{next};
        $pages++;
    } while ($next && $pages < 100);

    return ($pages, @ids);
}


is($nginx->request('POST', '/hook',
                   { Authorization => 'Bearer sesame',
                     'Content-Type' => 'application/json',
                     'webhook-id' => 'msg_1' },
                   body('items.write.successful', push_key => uuid()))
   ->status, 202, 'an event');
wait_state('delivered', 1);

# more of the same, all of which are dead

my $columns = 'type, company, connection, push_key, client, endpoint,'
    . ' received, state, attempts, succeeded, routes, stale, host, uri,'
    . ' body_digest';
is(sql('WITH RECURSIVE n (i) AS (VALUES (2) UNION ALL SELECT i + 1 FROM n'
       . ' WHERE i < ' . EVENTS . ") INSERT INTO event (webhook_id, $columns,"
       . " body) SELECT 'msg_' || i, $columns, CAST(CASE WHEN i % 7 THEN body"
       . " ELSE body || hex(zeroblob(20001)) END AS BLOB) FROM n, event"
       . ' WHERE event.id = 1;'
       . " UPDATE event SET body = CAST(replace(body, '000000', '      ')"
       . ' AS BLOB) WHERE length(body) > 20000;'
       . ' INSERT INTO delivery (event, route, state, attempts, owner, lease,'
       . " finished) SELECT e.id, d.route, 'dead', 3, 0, 0, d.finished FROM"
       . ' event e, delivery d WHERE e.id > 1 AND d.id = 1'), '', 'copies');

my @want = map { "msg_$_" } reverse 1 .. EVENTS;

for my $limit (1000, 100, 7) {
    subtest "a list, $limit at a time" => sub {
        my ($pages, @ids) = pages("limit=$limit");
        is("@ids", "@want", 'each event, once, newest first');
        cmp_ok($pages, '>=', EVENTS / $limit, 'pages');
        cmp_ok($pages, '>', 1, 'and not all at once, which is too large');
    };
}

subtest 'what is dead is replayed' => sub {
    $app->reset;
    my $said = api(POST => '/replay?state=dead&limit=230');
    is($said->{replayed}, 230, 'so many');
    ok($said->{next}, 'there are more');
    $said = api(POST => "/replay?state=dead&limit=1000&after=$said->{next}");
    is($said->{replayed}, EVENTS - 1 - 230, 'the rest');
    is($said->{next}, undef, 'that is all');
    wait_state('delivered', EVENTS);
    is(scalar(my @n = $app->requests), EVENTS - 1, 'each was sent once');
};

subtest 'what is not over is canceled' => sub {
    is(sql("UPDATE delivery SET state = 'dead'"), '', 'they die again');
    my $said = api(POST => '/cancel?state=dead&limit=250');
    is($said->{canceled}, 250, 'so many');
    $said = api(POST => "/cancel?state=dead&after=$said->{next}");
    is($said->{canceled}, EVENTS - 250, 'the rest');
    wait_state('canceled', EVENTS);
};

subtest 'what is dead with a forward that has gone' => sub {
    $app->reset;
    is(sql("UPDATE delivery SET state = 'dead', route = 'gone' WHERE event ="
           . " (SELECT id FROM event WHERE webhook_id = 'msg_5')"), '',
       'is made');
    my $said = api(POST => '/replay?state=dead');
    is($said->{replayed}, 1, 'is replayed');
    my @requests = $app->wait_requests(1);
    is($requests[0]{uri}, '/app/', 'to the forward that there is now');
};

subtest 'cursors' => sub {
    for my $cursor ('s', 's12', 's' . '0' x 15 . 'g', 'x' . '0' x 16,
                    's' . '0' x 17, 's' . 'f' x 16)
    {
        my $response = $nginx->request('GET', "/codat/events?after=$cursor");
        is($response->status, 400, "$cursor: 400");
        is($response->json->{code}, 'invalid_cursor', 'the code');
    }
};

subtest 'one that can not be read' => sub {
    is(sql("UPDATE event SET body = CAST('{' AS BLOB)"
           . " WHERE webhook_id = 'msg_3'"), '', 'is made');
    my (undef, @ids) = pages('limit=1000');
    is(scalar @ids, EVENTS - 1, 'is left out of lists');
    is($nginx->request('GET', '/codat/events/msg_3')->status, 404,
       'and is not found');
    like($nginx->error_log(all => 1),
         qr/\[alert\] .*codat: event \d+ of the store can't be read/,
         'the log says why');
};

ok($nginx->stop, 'nginx ends');
no_bad_log($nginx, except => qr/can't be read/);

done_testing;
