# What becomes of a zone when the configuration changes: rows stay as long as
# the zone is the same, under new parameters too; nginx -t changes nothing.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Crowd;
use CodatTest::Status;
use CodatTest::Upstream;
use Test::More;
use Time::HiRes qw(time sleep);


my $app = CodatTest::Upstream->new(handler => sub {
    my ($delay) = $_[0]{uri} =~ m{/slow/([\d.]+)};
    return { status => 200, delay => $delay // 0 };
});

my $api = CodatTest::Status->new(
    size => '1m', workers => 2, level => 'warn',
    http => 'codat_wait 20s;',
    server => <<"EOC");
        location = /slow { codat_webhook zone=codat;
                           codat_forward * /app/slow/1; }
        location /app    { internal; proxy_pass http://@{[$app->address]}; }
EOC

my $nginx = $api->nginx;
$api->{client}->close;
my $http = $nginx->{conf}{http};
my $server = $nginx->{conf}{server};

my %headers = (Authorization => 'Bearer sesame',
               'Content-Type' => 'application/json');

my $key = uuid();
my $pending = uuid();
my $final = body('bills.write.successful', push_key => $key);


# each on a connection of its own, since those to old workers are closed

sub deliver {
    my ($id, $body) = @_;

    my $response = $nginx->request('POST', '/hook',
        { %headers, 'webhook-id' => $id }, $body // $final);

    return $response ? $response->status . ' '
        . (eval { $response->json->{result} } // '') : 'none';
}


sub status_of {
    my $response = $nginx->request('GET', "/codat/pushes/$_[0]");

    return !$response ? 'none' : $response->status != 200 ? $response->status
        : $response->json->{status};
}


sub reload_with {
    my ($change, $what) = @_;

    ok($nginx->reload(http => $change->($http)), "reloaded: $what");
}


sub fill {
    is(deliver("first-$_[0]"), '200 accepted', "$_[0]: a webhook");
    is($nginx->request('PUT', "/codat/pushes/$pending", {},
                       '{"reference":"order 1"}')->status, 201,
       "$_[0]: a pending push");
}


sub intact {
    my ($what, $id) = @_;

    is(status_of($key), 'Success', "$what: the push");
    is(status_of($pending), 'Pending', "$what: the pending push");
    is($nginx->request('GET', '/codat/pushes?reference=order%201')
       ->json->{results}[0]{pushOperationKey}, $pending,
       "$what: found by its reference");
    is(deliver($id), '200 duplicate', "$what: the webhook") if $id;
}


fill('start');

subtest 'the same configuration' => sub {
    reload_with(sub { shift }, 'the same');
    intact('afterwards', 'first-start');
};


subtest 'cursors stay valid' => sub {
    my $page = $nginx->request('GET', '/codat/pushes?limit=1')->json;
    is($page->{results}[0]{pushOperationKey}, $pending, 'the first page');
    ok($nginx->reload, 'reloaded');

    my $next = $nginx->request('GET',
        "/codat/pushes?limit=1&after=$page->{next}")->json;
    is($next->{results}[0]{pushOperationKey}, $key, 'the second page');
    is($next->{next}, undef, 'the last one');
};


subtest 'other parameters' => sub {
    reload_with(sub { $_[0] =~ s/:1m/:1m retain=90d dedupe=1h/r }, 'longer');
    intact('longer', 'first-start');

    reload_with(sub { $_[0] =~ s/:1m/:1m dedupe=off/r }, 'dedupe=off');
    intact('dedupe=off');
    is(deliver('first-start'), '200 accepted', 'dedupe=off: not recognised');

    reload_with(sub { shift }, 'dedupe again');
    intact('dedupe again');
    like(deliver('first-start'), qr/^200 (?:accepted|duplicate)$/,
         'dedupe again: served');
    is(deliver('first-start'), '200 duplicate', 'dedupe again: recognised');

    # by now they are two seconds old
    sleep(2.1);
    reload_with(sub { $_[0] =~ s/:1m/:1m dedupe=1s retain=1s/r }, 'shorter');
    is(deliver('first-start', body('company.created')), '200 accepted',
       'shorter: no copy');
    is(status_of($key), '404', 'shorter: the push has gone');
    is(status_of($pending), 'Pending', 'shorter: the pending push has not');

    reload_with(sub { shift }, 'the first ones');
    is(deliver('again'), '200 accepted', 'a webhook');
    intact('afterwards', 'again');
};


subtest 'nginx -t, while it runs' => sub {
    my @before = $nginx->pids;
    my $rows = $nginx->request('GET', '/codat/')->json;

    for my $change (sub { shift }, sub { $_[0] =~ s/:1m/:2m/r },
                    sub { $_[0] =~ s/:1m/:1m dedupe=1s retain=1s/r })
    {
        local $nginx->{conf}{http} = $change->($http);
        my ($ok, $text) = $nginx->check;
        ok($ok, 'is content') or diag($text);
    }

    for my $change (sub { $_[0] =~ s/:1m/:8k/r },
                    sub { "$_[0] codat_zone zone=codat:1m;" },
                    sub { "$_[0] codat_zone zone=codat:2m;" })
    {
        local $nginx->{conf}{http} = $change->($http);
        my ($ok, $text) = $nginx->check;
        ok(!$ok, 'refuses') or diag($text);
        like($text, qr/\[emerg\]/, '... and says why');

        # so does a reload
        $nginx->mark;
        ok(!$nginx->reload, 'a reload is refused');
    }

    $nginx->{conf}{http} = $http;
    $nginx->_write_conf;

    is_deeply([$nginx->pids], \@before, 'the workers stay');
    intact('afterwards', 'again');
    is_deeply($nginx->request('GET', '/codat/')->json->{rows}, $rows->{rows},
              'no row came or went');
};


subtest 'requests under way' => sub {
    for my $case (['the same zone', '1m', '200 duplicate', 1],
                  ['a larger zone', '2m', '200 accepted', 0])
    {
        my ($name, $size, $copy, $kept) = @$case;

        $app->reset;

        my @slow = map { $nginx->client(timeout => 15) } 1 .. 4;
        $slow[$_]->send($slow[$_]->build('POST', '/slow',
            { %headers, 'webhook-id' => "$size-$_" }, $final)) for 0 .. 3;

        my $waited = uuid();
        $nginx->request('PUT', "/codat/pushes/$waited", {}, '{}');
        my $waiter = $nginx->client(timeout => 15);
        $waiter->send($waiter->build('GET',
                                     "/codat/pushes/$waited?wait=15"));

        is(scalar $app->wait_requests(4, 10), 4, "$name: under way");

        my $start = time;
        reload_with(sub { $_[0] =~ s/:1m/:$size/r }, $name);

        my $response = $waiter->read_response;
        is($response && $response->json->{status}, 'Pending',
           "$name: who waits is told how it is");
        cmp_ok(time - $start, '<', slow(10), "$name: and not at the end of time");

        for my $n (0 .. 3) {
            $response = $slow[$n]->read_response;
            is($response && $response->json->{result}, 'accepted',
               "$name: webhook $n is accepted");

            my $again = $nginx->request('POST', '/slow',
                { %headers, 'webhook-id' => "$size-$n" }, $final);
            is($again && $again->status . ' ' . $again->json->{result}, $copy,
               "$name: its copy");
        }

        is(status_of($waited), $kept ? 'Pending' : '404',
           "$name: the row that was waited for");
    }
};


subtest 'another size, and none' => sub {
    reload_with(sub { $_[0] =~ s/:1m/:64k/r }, 'smaller');
    is(status_of($pending), '404', 'smaller: empty');
    fill('smaller');
    intact('smaller', 'first-smaller');

    ok($nginx->reload(http => '', server => 'location / { return 204; }'),
       'reloaded: no zone');
    is($nginx->request('GET', '/')->status, 204, 'no zone: nginx serves');

    ok($nginx->reload(http => $http =~ s/:1m/:64k/r, server => $server),
       'reloaded: the zone is back');
    is(status_of($pending), '404', 'back: empty');
    fill('back');
    intact('back', 'first-back');

    # the name alone makes it the same
    ok($nginx->reload(http => $http =~ s/:1m/:64k/r
                      . 'codat_zone zone=second:64k;',
                      server => $server . 'location /second/
                          { codat_status zone=second; }'),
       'reloaded: a second zone');
    intact('beside a second one', 'first-back');
    is($nginx->request('GET', '/second/')->json->{rows}{pushes}, 0,
       'the second one is empty');

    ok($nginx->reload(http => $http =~ s/:1m/:64k/r, server => $server),
       'reloaded: without the second one');
    intact('without it', 'first-back');
};


subtest 'reload after reload, under load' => sub {
    reload_with(sub { $_[0] =~ s/:1m/:4m/r }, 'a larger zone');
    fill('load');

    my $end = time + slow(4);
    my $pushed = $key;

    my $crowd = CodatTest::Crowd->new(2, sub {
        my $number = shift;
        my ($n, @bad) = (0);

        while (time < $end) {
            my $id = "load-$number-" . ++$n;
            my $key = sprintf('%08x-0000-4000-8000-%012x', $number, $n);

            my $result = deliver($id, $final =~ s/$pushed/$key/gr);
            push @bad, "$id: $result" if $result ne '200 accepted';

            $result = deliver($id, $final =~ s/$pushed/$key/gr);
            push @bad, "$id, copy: $result" if $result ne '200 duplicate';
        }

        return { n => $n, bad => \@bad };
    });

    my $reloads = 0;
    while (time < $end) {
        $reloads += $nginx->reload;
        sleep(0.1);
    }

    for my $result ($crowd->results) {
        is($result->{died}, undef, 'a client');
        cmp_ok($result->{n}, '>', 10 / slow(1), "$result->{n} messages");
        is_deeply([grep { defined } @{$result->{bad}}[0 .. 5]], [],
                  'all were served, all copies known');
    }

    cmp_ok($reloads, '>', 3, "$reloads reloads");
    intact('afterwards', 'first-load');
};


ok($nginx->stop, 'nginx ends in time');
no_bad_log($nginx->error_log(all => 1) . $nginx->stderr,
           except => qr/\[emerg\].*(?:too small|declared once)/);

done_testing();
