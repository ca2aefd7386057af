# The memory of deliveries is one for all workers: under concurrency, over
# reloads, when workers are killed, and when it is full.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use File::Temp ();
use POSIX ();
use Test::More;
use Time::HiRes qw(time sleep);


# the application: how long it takes, the status, and what only the first
# request for a URI gets; or it waits until a file is there

my $gate = File::Temp->newdir;

my $app = CodatTest::Upstream->new(handler => sub {
    my $request = shift;

    if ($request->{uri} eq '/gate') {
        my $until = time + slow(60);
        sleep(0.02) while !-e "$gate/open" && time < $until;
        return { status => 200 };
    }

    my ($delay, $status, $first) = $request->{uri}
        =~ m{^/([\d.]+)/(\d+)(?:/first/([\d.]+))?};
    $delay = $first if defined $first && $request->{n} == 1;

    return { status => $status // 200, delay => $delay // 0 };
});

my $server = <<"EOC";
    location = /slow  { codat_webhook zone=codat; codat_forward * /app/0.05/200; }
    location = /quick { codat_webhook zone=codat; codat_forward * /app/0/200; }
    location = /none  { codat_webhook zone=codat; }
    location = /long  { codat_webhook zone=codat; codat_forward * /app/1.5/200; }
    location = /once  { codat_webhook zone=codat;
                        codat_forward * /app/0/200/first/60; }
    location = /half  { codat_webhook zone=codat;
                        codat_forward * /app/0/200?a;
                        codat_forward * /app/0/500?b; }
    location /app/    { internal; proxy_pass http://@{[$app->address]}/; }
EOC

my $nginx = CodatTest::Nginx->new(
    workers => 4, level => 'info', worker_connections => 1024,
    listen => '127.0.0.1:{{port}} reuseport',
    conf => {
        http => 'codat_zone zone=codat:1m; codat_credential bearer sesame;',
        server => $server,
    })->start;

my $body = body('company.created');
my %auth = (Authorization => 'Bearer sesame',
            'Content-Type' => 'application/json');


sub deliver {
    my ($path, $id, $client) = @_;

    my @request = ('POST', $path, { %auth, 'webhook-id' => $id }, $body);
    return $client ? $client->request(@request) : $nginx->request(@request);
}


# "200 accepted", "503 in_progress", ...

sub result {
    my $response = shift // return 'no answer';
    my $json = $response->json;

    return $response->status . ' ' . ($json->{result} // $json->{code});
}


# until it is neither refused for the moment nor cut off

sub settle {
    my ($path, $id, $timeout) = @_;

    my $until = time + slow($timeout // 15);
    my $result;
    do {
        sleep(0.05) if $result;
        $result = result(scalar eval { deliver($path, $id) });
    } while ($result =~ /^503|no answer/ && time < $until);

    return $result;
}


subtest 'concurrent copies reach the application once' => sub {
    $app->reset;

    my @clients = map { $nginx->client } 1 .. 12;
    my (%count, $wrong);

    for my $n (1 .. 60) {
        my $request = $clients[0]->build('POST', '/slow',
            { %auth, 'webhook-id' => "copies-$n" }, $body);

        $_->send($request) for @clients;

        my %one;
        $one{result($_->read_response)}++ for @clients;
        $count{$_} += $one{$_} for keys %one;
        $wrong++ if ($one{'200 accepted'} // 0) != 1;
    }

    is($wrong // 0, 0, 'exactly one copy of each is accepted');
    is_deeply([grep { !/^(200 accepted|200 duplicate|503 in_progress)$/ }
               keys %count], [], 'the others are duplicates, or in progress');
    cmp_ok($count{'503 in_progress'} // 0, '>', 0,
           'some came while it was being worked on');

    my %seen;
    $seen{$_->header('webhook-id')}++ for $app->requests;
    is(scalar keys %seen, 60, 'the application got all of them');
    is_deeply([grep { $seen{$_} > 1 } sort keys %seen], [], 'each one once');

    is(settle('/slow', 'copies-1'), '200 duplicate', 'they are known now');
    $_->close for @clients;
};


subtest 'every worker knows what another one has accepted' => sub {
    is(result(deliver('/quick', 'shared')), '200 accepted', 'first');

    my %results;
    $results{result(deliver('/quick', 'shared'))}++ for 1 .. 40;
    is_deeply(\%results, { '200 duplicate' => 40 }, '40 connections');
};


subtest 'reload with the same configuration' => sub {
    $app->reset;

    is(result(deliver('/quick', 'hup')), '200 accepted', 'before');
    is(result(deliver('/half', 'hup-half')), '502 forward_failed', 'one fails');
    ok($nginx->reload, 'reloaded');
    is(result(deliver('/quick', 'hup')), '200 duplicate', 'after');
    is(result(deliver('/half', 'hup-half')), '502 forward_failed', 'again');

    is_deeply([sort map { $_->{uri} } $app->requests],
              ['/0/200', '/0/200?a', '/0/500?b', '/0/500?b'],
              'only what failed was repeated');
};


subtest 'reload while a forward is running' => sub {
    $app->reset;

    my $client = $nginx->client;
    $client->send($client->build('POST', '/long',
        { %auth, 'webhook-id' => 'running' }, $body));
    is(scalar $app->wait_requests(1), 1, 'running');

    my $reload = $nginx->reload;
    my $copy = result(deliver('/long', 'running'));
    my $first = result($client->read_response);

    ok($reload, 'reloaded');
    like($copy, qr/^(503 in_progress|200 duplicate)$/, 'a copy, new worker');
    is($first, '200 accepted', 'the first, old worker');
    is(result(deliver('/long', 'running')), '200 duplicate', 'another copy');
    is(scalar $app->requests, 1, 'asked once');
    $client->close;
};


subtest 'reload with another list of forwards' => sub {
    $app->reset;

    is(result(deliver('/half', 'routes')), '502 forward_failed', 'one fails');
    is(result(deliver('/quick', 'routes')), '200 accepted', 'another location');

    ok($nginx->reload(server => $server =~ s{0/500\?b}{0/204?c}r), 'reloaded');

    is(result(deliver('/half', 'routes')), '200 accepted', 'after');
    is_deeply([sort map { $_->{uri} } $app->requests],
              ['/0/200', '/0/200?a', '/0/200?a', '/0/204?c', '/0/500?b'],
              'all forwards of the new list are called');
    is(result(deliver('/half', 'routes')), '200 duplicate', 'accepted now');
    is(result(deliver('/quick', 'routes')), '200 duplicate',
       'what was accepted stays so');
    is(result(deliver('/half', 'hup-half')), '200 accepted',
       'what failed before is accepted at last');

    ok($nginx->reload(http => $nginx->{conf}{http} . ' codat_tolerance 1m;',
                      server => $server), 'reloaded again');
    is(result(deliver('/half', 'routes')), '200 duplicate',
       'accepted under any list');
};


# nginx does not take the connections of killed workers off its count later

ok($nginx->wait_idle(10), 'no connection is left');


subtest 'a worker is killed while a forward is running' => sub {
    $app->reset;

    my $client = $nginx->client;
    $client->send($client->build('POST', '/once',
        { %auth, 'webhook-id' => 'killed' }, $body));
    is(scalar $app->wait_requests(1), 1, 'running');
    is(result(deliver('/once', 'killed')), '503 in_progress', 'a copy waits');

    my @old = $nginx->pids;
    kill('KILL', @old);
    ok($client->closed(10), 'all workers are gone');
    $client->close;

    is(settle('/once', 'killed'), '200 accepted', 'the next copy is taken');
    is(scalar $app->requests, 2, 'the application was asked again');
    is(settle('/once', 'killed'), '200 duplicate', 'and that is that');
    is(settle('/quick', 'routes'), '200 duplicate', 'the rest is remembered');
};


subtest 'workers are killed under load' => sub {
    my $seconds = 8;
    my $dir = $nginx->prefix;
    my $end = time + slow($seconds);

    for my $n (1 .. 20) {
        settle('/none', "before-$n");
    }

    # each tries a message until it is accepted, and then once more

    my @children = map { my $number = $_; fork() // die "fork: $!\n" or do {
        my ($accepted, $violations, $client) = (0, 0);

        for (my $n = 0; time < $end; $n++) {
            my $path = $n % 3 ? '/none' : '/quick';
            my $id = "load-$number-$n";
            my $done = 0;

            while ($done < 2 && time < $end) {
                my $result = eval {
                    local $SIG{PIPE} = 'IGNORE';
                    $client //= $nginx->client(timeout => 2);
                    result(deliver($path, $id, $client));
                } // 'no answer';

                if ($result eq 'no answer') {
                    undef $client;
                    sleep(0.005);
                    next;
                }

                $accepted++ if $result eq '200 accepted';
                $violations++ if $done && $result ne '200 duplicate';
                $violations++ if $result !~ /^(200|503 in_progress)/;
                $done++ if $result =~ /^200/;
            }
        }

        open(my $fh, '>', "$dir/load-$number") or POSIX::_exit(1);
        print $fh "$accepted $violations\n";
        close($fh);
        POSIX::_exit(0);
    } } 1 .. 4;

    my $kills = 0;
    while (time < $end) {
        my @pids = $nginx->pids;
        $kills += kill('KILL', $pids[rand @pids]) if @pids;
        sleep(slow(0.05 + rand(0.1)));
    }

    waitpid($_, 0) for @children;

    my ($accepted, $violations) = (0, 0);
    for my $number (1 .. 4) {
        open(my $fh, '<', "$dir/load-$number") or next;
        my ($a, $v) = split(' ', <$fh>);
        $accepted += $a;
        $violations += $v;
    }

    cmp_ok($kills, '>', 20, 'many were killed');
    cmp_ok($accepted, '>', 100 / slow(1), 'many messages were accepted meanwhile');
    is($violations, 0, 'what was accepted stays so, nothing is refused');

    is(settle('/quick', 'after'), '200 accepted', 'a new message');
    is(settle('/quick', 'after'), '200 duplicate', 'and its copy');
    is(scalar(grep { settle('/none', "before-$_") eq '200 duplicate' }
              1 .. 20), 20, 'what was before is known');

    my %stuck;
    for my $number (1 .. 4) {
        for my $n (0 .. 20) {
            my $id = "load-$number-$n";
            my $result = settle($n % 3 ? '/none' : '/quick', $id);
            $stuck{$id} = $result
                unless $result =~ /^200 (accepted|duplicate)$/;
        }
    }
    is_deeply(\%stuck, {}, 'nothing is stuck in progress');
};

ok($nginx->stop, 'nginx ends in time');
no_bad_log($nginx, except => qr/exited on signal 9|was locked by/);


subtest 'a full zone' => sub {
    my $nginx = CodatTest::Nginx->new(
        workers => 2, level => 'warn', worker_connections => 1024,
        conf => {
            http => 'codat_zone zone=codat:32k; keepalive_requests 10000;'
                . 'codat_credential bearer sesame;',
            server => <<"EOC",
    location = /none { codat_webhook zone=codat; }
    location = /long { codat_webhook zone=codat; codat_forward * /app/gate;
                       codat_forward_timeout 5m; }
    location /app/   { internal; proxy_pass http://@{[$app->address]}/;
                       proxy_read_timeout 5m; }
EOC
        })->start;

    my $client = $nginx->client;
    my $send = sub {
        my ($path, $id) = @_;
        return result($client->request('POST', $path,
            { %auth, 'webhook-id' => $id }, $body));
    };

    my $last = 3000;
    my %results;
    $results{$send->('/none', "full-$_")}++ for 1 .. $last;
    is_deeply(\%results, { '200 accepted' => $last },
              'takes thousands of messages');
    is($send->('/none', "full-$last"), '200 duplicate', 'knows the last one');

    # a lookup of one that is known changes nothing, so this finds the oldest
    my $oldest = $last;
    $oldest-- while $oldest > 1
        && $send->('/none', 'full-' . ($oldest - 1)) eq '200 duplicate';

    cmp_ok($last - $oldest, '>', 100, 'knows some hundred: '
           . ($last - $oldest));
    cmp_ok($oldest, '>', 1, 'and forgot the oldest ones');
    is(scalar(grep { $send->('/none', "full-$_") eq '200 accepted' }
              map { $oldest - 2 - $_ * 7 } 1 .. 50), 50,
       'all that are older');
    is($send->('/none', "full-$last"), '200 duplicate', 'but not the last one');

    # no room: all of the oldest are under way

    $app->reset;
    my @clients = map { $nginx->client(timeout => 20) } 1 .. 40;
    for my $n (1 .. 40) {
        $clients[$n - 1]->send($client->build('POST', '/long',
            { %auth, 'webhook-id' => "long-$n" }, $body));
    }
    is(scalar $app->wait_requests(40, 10), 40, '40 are under way');

    %results = ();
    $results{$send->('/none', "more-$_")}++ for 1 .. 1000;
    is_deeply(\%results, { '200 accepted' => 1000 }, 'and 1000 are taken');
    is($send->('/long', 'long-1'), '503 in_progress',
       'what is under way is not forgotten');

    open(my $open, '>', "$gate/open") or die "gate: $!\n";
    %results = ();
    $results{result($_->read_response)}++ for @clients;
    is_deeply(\%results, { '200 accepted' => 40 }, 'those 40 are accepted');
    is($send->('/long', 'long-40'), '200 duplicate', 'and known');

    $_->close for $client, @clients;
    ok($nginx->stop, 'nginx ends in time');
    no_bad_log($nginx);
    unlike($nginx->error_log, qr/no memory|\[error\](?!.*in_progress)/,
           'no complaint about memory');
    my @warned = $nginx->error_log =~ /(is full of deliveries under way)/g;
    cmp_ok(scalar @warned, '<', 20, 'warned once a second at most: '
           . scalar @warned);
};

done_testing();
