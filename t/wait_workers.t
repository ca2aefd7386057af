# Waiting in many workers: who waits in one is woken by what another one
# receives, whatever happens to workers meanwhile, and costs nothing.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Waiters;
use POSIX ();
use Test::More;
use Time::HiRes qw(time sleep);

my $http = 'codat_zone zone=codat:8m dedupe=off;
            codat_credential bearer sesame;';
my $server = 'add_header X-Pid $pid always;
              location = /hook { codat_webhook zone=codat; }
              location /codat/ { codat_status zone=codat; }';

my $nginx = CodatTest::Nginx->new(
    workers => 4, level => 'info', worker_connections => 1500,
    listen => '127.0.0.1:{{port}} reuseport backlog=2048',
    conf => { http => $http, server => $server })->start;


sub hook_request {
    my ($client, $key, %opt) = @_;

    return $client->build('POST', '/hook',
        { Authorization => 'Bearer sesame' },
        body($opt{event} // 'invoices.write.successful', push_key => $key,
             %opt));
}


sub hook {
    my ($nginx, $key, %opt) = @_;

    my $client = $nginx->client;
    $client->send(hook_request($client, $key, %opt));
    my $response = $client->read_response // die "no answer\n";
    $client->close;

    return $response;
}


sub uri { return "/codat/pushes/$_[0]?wait=" . ($_[1] // 30) }

sub count {
    my %count;
    for (@_) {
        my $json = $_->status == 200 ? eval { $_->json } // {} : {};
        $count{join(' ', $_->status, $json->{status} // '-')}++;
    }

    return join(', ', map { "$count{$_} x $_" } sort keys %count);
}


sub waiting {
    return $_[0]->request('GET', '/codat/')->json->{waiters};
}


# processor time of the workers, in ticks

sub ticks {
    my $nginx = shift;

    my $ticks = 0;
    for my $pid ($nginx->pids) {
        open(my $fh, '<', "/proc/$pid/stat") or next;
        my @stat = split(' ', <$fh> =~ s/^.*\) //sr);
        $ticks += $stat[11] + $stat[12];
    }

    return $ticks;
}


sub quantile {
    my ($q, @n) = @_;

    return (sort { $a <=> $b } @n)[int($q * $#n)];
}


# waits and webhooks, one after the other: latencies in ms, by whether one
# worker did both

sub latencies {
    my ($nginx, $rounds) = @_;

    my @hooks = map { $nginx->client } 1 .. 8;
    my (%ms, $wrong);

    for my $round (1 .. $rounds) {
        my $key = uuid();
        my $waiters = CodatTest::Waiters->new($nginx);
        $waiters->add(uri($key));
        $waiters->parked;

        my $hook = $hooks[$round % @hooks];
        my $start = time;
        $hook->send(hook_request($hook, $key));
        my ($answer) = $waiters->answers(1);
        my $from = $hook->read_response->header('x-pid');

        $wrong++ if !$answer || $answer->status != 200;
        push @{$ms{$answer->header('x-pid') eq $from ? 'same' : 'other'}},
            1000 * ($answer->{at} - $start) if $answer;
        $answer->{client}->close if $answer;
    }

    $_->close for @hooks;

    return ($wrong // 0, \%ms);
}


sub fast {
    my ($ms, $which, $limit) = @_;

    my @ms = @{$ms->{$which} // []};
    ok(scalar @ms, "there are some: $which") or return;
    my $median = quantile(0.5, @ms);
    diag(sprintf('%s worker: median %.2f ms, 90 %% %.2f ms of %d', $which,
                 $median, quantile(0.9, @ms), scalar @ms));
    cmp_ok($median, '<', slow($limit), "$which worker: median below $limit ms");
}


subtest 'woken by a webhook in this worker or another' => sub {
    my ($wrong, $ms) = latencies($nginx, 120);

    is($wrong, 0, 'all are answered');
    fast($ms, $_, 50) for qw(same other);
};


subtest 'two thousand' => sub {
    my $waiters = CodatTest::Waiters->new($nginx);
    my @keys = map { uuid() } 1 .. 100;

    for my $key (@keys) {
        $waiters->add(uri($key)) for 1 .. 20;
    }
    ok($waiters->parked(20), 'are held');

    # those whom no event concerns

    my $others = CodatTest::Waiters->new($nginx);
    $others->add(uri(uuid())) for 1 .. 40;
    ok($others->parked, 'and some others');
    is(waiting($nginx), 2040, 'and counted');

    my @hooks = map { $nginx->client } 1 .. 8;
    my $start = time;
    for my $n (0 .. $#keys) {
        my $hook = $hooks[$n % @hooks];
        $hook->send(hook_request($hook, $keys[$n]));
    }
    my @answers = $waiters->answers(2000, slow(20));
    diag(sprintf('2000 answers in %.0f ms', 1000 * (time - $start)));

    is(count(@answers), '2000 x 200 Success', 'all are answered');
    is(scalar(grep { index($_->{uri}, $_->json->{pushOperationKey}) < 0 }
              @answers), 0, 'each with its own push');
    my %pids = map { $_->header('x-pid') => 1 } @answers;
    is(scalar keys %pids, 4, 'by four workers');
    is(scalar(my @none = $others->answers(1, 0.2)), 0, 'the others are not');

    $_->{client}->close for @answers;
    $_->close for @hooks;
    is(waiting($nginx), 40, 'they are counted on');
    $others->leave;
    ok($nginx->wait_idle, 'nobody is left');
    is(waiting($nginx), 0, 'nor counted');
};


subtest 'more changes at once than others can take note of' => sub {
    my $waiters = CodatTest::Waiters->new($nginx);
    my @keys = map { uuid() } 1 .. 600;
    $waiters->add(uri($_)) for @keys;
    ok($waiters->parked(20), '600 are held');

    my $hook = $nginx->client(timeout => 20);
    $hook->send(join('', map { hook_request($hook, $_) } @keys));

    my @answers = $waiters->answers(600, slow(20));
    is(count(@answers), '600 x 200 Success', 'all are answered');
    my $n = grep { ($hook->read_response // last)->status == 200 } @keys;
    is($n, 600, 'and the webhooks');

    $_->{client}->close for @answers;
    $hook->close;
    ok($nginx->wait_idle, 'nobody is left');
};


subtest 'waiting costs nothing' => sub {
    my $waiters = CodatTest::Waiters->new($nginx);
    $waiters->add(uri(uuid())) for 1 .. 500;
    ok($waiters->parked(10), '500 are held');
    is(waiting($nginx), 500, 'and counted');
    sleep(0.2);

    my $before = ticks($nginx);
    sleep(5);
    my $ticks = ticks($nginx) - $before;
    cmp_ok($ticks, '<=', 2, 'processor time of four workers in 5 s: '
           . $ticks * 1000 / POSIX::sysconf(POSIX::_SC_CLK_TCK()) . ' ms');

    $waiters->leave('abort');
    ok($nginx->wait_idle, 'nobody is left');
};


subtest 'reload' => sub {
    my ($pending, $unknown) = (uuid(), uuid());
    hook($nginx, $pending, event => 'PushOperationStatusChanged',
         generation => 'legacy', status => 'Pending');

    my $waiters = CodatTest::Waiters->new($nginx);
    $waiters->add(uri($pending)) for 1 .. 50;
    $waiters->add(uri($unknown)) for 1 .. 50;
    ok($waiters->parked, 'held');

    # this worker stays until it has the rest of the body

    my $key = uuid();
    my $hook = $nginx->client;
    my $bytes = hook_request($hook, $key);
    $hook->send(substr($bytes, 0, -10));
    sleep(0.1);

    my @old = $nginx->pids;
    my $start = time;
    ok($nginx->reload, 'reloaded');
    my @answers = $waiters->answers(100, slow(2));
    is(count(@answers), '50 x 200 Pending, 50 x 404 -', 'the present state');
    is(scalar(grep { !$_->{client}->closed(1) } @answers), 0, 'and closed');
    is(scalar(grep { $_->header('preference-applied') ne 'wait=30' } @answers),
       0, 'with Preference-Applied');
    cmp_ok($answers[-1]{at} - $start, '<', slow(1), 'at once');

    ok($nginx->_wait_until(sub { (grep { kill(0, $_) } @old) == 1 }, 3),
       'the old workers are gone, but for one');

    $waiters->add(uri($key)) for 1 .. 8;
    $waiters->parked;
    $start = time;
    $hook->send(substr($bytes, -10));
    @answers = $waiters->answers(8, slow(2));
    is(count(@answers), '8 x 200 Success', 'it wakes the new ones');
    cmp_ok($answers[-1]{at} - $start, '<', slow(0.5), 'at once');
    is(scalar(grep { $_->header('x-pid') == $hook->read_response
              ->header('x-pid') } $answers[0]), 0, 'which others are');
    $hook->close;
    $_->{client}->close for @answers;

    ok($nginx->_wait_until(sub { !grep { kill(0, $_) } @old }, 3),
       'it is gone, too');
    my ($wrong) = latencies($nginx, 10);
    is($wrong, 0, 'waiting goes on');
    is(waiting($nginx), 0, 'nobody is counted');
    ok($nginx->wait_idle, 'nobody is left');
};


subtest 'several reloads, the zone gone and back' => sub {
    my $waiters = CodatTest::Waiters->new($nginx);
    my $elsewhere = $http =~ s/zone=codat/zone=elsewhere/r;
    my $there = $server =~ s/zone=codat/zone=elsewhere/gr;

    for my $conf ([$http, $server], [$elsewhere, $there], [$http, $server],
                  [$http =~ s/8m/4m/r, $server])
    {
        $waiters->add(uri(uuid())) for 1 .. 20;
        ok($waiters->parked, 'held');
        ok($nginx->reload(http => $conf->[0], server => $conf->[1]),
           'reloaded');
        is(count($waiters->answers(20, slow(2))), '20 x 404 -', 'answered');
        my ($wrong) = latencies($nginx, 4);
        is($wrong, 0, 'woken');
    }

    my $fds = grep { (readlink($_) // '') =~ /\[eventfd\]/ }
        glob("/proc/@{[$nginx->pid]}/fd/*");
    is($fds, 1, 'the master keeps one eventfd for the zone');
    ok($nginx->wait_idle, 'nobody is left');
};


subtest 'workers are killed' => sub {
    my $failed = 0;
    my $checked = 0;

    for my $round (1 .. 25) {
        my $key = uuid();
        my $waiters = CodatTest::Waiters->new($nginx);
        $waiters->add(uri($key)) for 1 .. 8;
        $waiters->parked;

        my $hook = $nginx->client;
        my $victim = do {
            $hook->send($hook->build('GET', '/codat/pushes/' . uuid()));
            $hook->read_response->header('x-pid');
        };
        $hook->send(hook_request($hook, $key));
        sleep(rand(slow(slow(0.001)))) if $round % 2;
        kill('KILL', $victim);
        $hook->close;

        # it may have been too early for the event, or late

        my $final = $nginx->_wait_until(sub {
            my $row = $nginx->request('GET', "/codat/pushes/$key");
            return $row && $row->status == 200;
        }, 0.3);

        my @answers = $waiters->answers(8, $final ? 1.5 : 0.1);
        my $left = $waiters->left;
        $checked++ if $final;
        $failed++ if $final && $left;
        $_->{client}->close for @answers;
        $waiters->leave;
        $nginx->_wait_until(sub { $nginx->pids == 4 }, 5);
    }

    is($failed, 0, 'nobody waits on for what is known');
    ok($nginx->_wait_until(sub { waiting($nginx) == 0 }, 3),
       'nobody is counted');
    cmp_ok($checked, '>', 0, "$checked events were taken");
};


# the row is changed, and the one who did it dies in the act of saying so

subtest 'a worker is killed before it wakes others' => sub {
    plan(skip_all => 'no strace') unless `strace -V 2>&1` =~ /version/;

    my $key = uuid();
    my $hook = $nginx->client;
    $hook->send($hook->build('GET', '/codat/pushes/' . uuid()));
    my $victim = $hook->read_response->header('x-pid');

    my $waiters = CodatTest::Waiters->new($nginx);
    $waiters->add(uri($key)) for 1 .. 20;
    $waiters->parked;

    my $log = $nginx->prefix . '/strace';
    my $strace = fork() // die "fork: $!\n";
    if (!$strace) {
        open(STDERR, '>', "$log.err");
        no warnings;
        exec('strace', '-p', $victim, '-o', $log, '-e', 'trace=write',
             '-e', 'inject=write:error=EAGAIN:signal=KILL',
             '-P', 'anon_inode:[eventfd]');
        POSIX::_exit(127);
    }

    $nginx->_wait_until(sub {
        open(my $fh, '<', "$log.err") or return;
        local $/;
        return (<$fh> // '') =~ /attached|not permitted/;
    }, 5);

    my $start = time;
    $hook->send(hook_request($hook, $key));
    my $gone = $nginx->_wait_until(sub { !kill(0, $victim) }, 3);
    kill('KILL', $strace) unless $gone;
    waitpid($strace, 0);

    SKIP: {
        skip('strace can not', 2) unless $gone;

        my @answers = $waiters->answers(20, slow(3));
        my @good = grep { $_->status == 200 } @answers;
        my @cut = grep { $_->status == 0 } @answers;
        is(@good + @cut, 20, 'the others are answered');
        my $took = (sort { $a <=> $b } map { $_->{at} - $start } @good)[-1];
        cmp_ok($took, '<', slow(1.5), sprintf('by the timer: after %.2f s', $took));
        $_->{client}->close for @answers;
    }

    $waiters->leave;
    $hook->close;
    $nginx->_wait_until(sub { $nginx->pids == 4 }, 5);
};


subtest 'after that' => sub {
    my ($wrong, $ms) = latencies($nginx, 20);

    is($wrong, 0, 'waiting goes on');
};


subtest 'QUIT' => sub {
    my $waiters = CodatTest::Waiters->new($nginx);
    $waiters->add(uri(uuid())) for 1 .. 200;
    sleep(0.5);

    my $start = time;
    $nginx->signal('QUIT');
    is(count($waiters->answers(200, slow(3))), '200 x 404 -', 'all are answered');
    ok($nginx->stop, 'nginx ends');
    cmp_ok(time - $start, '<', slow(2), 'at once');
};

# one may have been killed while it held the lock
no_bad_log($nginx, except => qr/exited on signal 9|was locked by/);


subtest 'TERM' => sub {
    $nginx = CodatTest::Nginx->new(workers => 2, level => 'info',
        conf => { http => $http, server => $server })->start;
    my $waiters = CodatTest::Waiters->new($nginx);
    $waiters->add(uri(uuid())) for 1 .. 20;
    $waiters->parked;
    my $start = time;
    ok($nginx->stop('TERM'), 'nginx ends');
    cmp_ok(time - $start, '<', slow(1), 'at once');
    no_bad_log($nginx);
};


# other ways to run

for my $case (
    ['use poll', 100, worker_connections => '600; use poll', workers => 4],
    ['use select', 100, worker_connections => '200; use select',
     workers => 2],
    ['accept_mutex', 50, worker_connections => '200; accept_mutex on',
     workers => 2],
    ['master_process off', 50, master => 0, workers => 1])
{
    my ($name, $limit, %opt) = @$case;

    subtest $name => sub {
        $nginx = CodatTest::Nginx->new(%opt, level => 'info',
            conf => { http => $http, server => $server });
        my ($good, $said) = $nginx->check;
        plan(skip_all => 'not in this nginx')
            if !$good && $said =~ /invalid event type/;
        $nginx->start;

        my ($wrong, $ms) = latencies($nginx, 30);
        is($wrong, 0, 'woken');
        fast($ms, $_, $limit) for keys %$ms;

        my $waiters = CodatTest::Waiters->new($nginx);
        $waiters->add(uri(uuid(), 1)) for 1 .. 5;
        is(count($waiters->answers(5, slow(3))), '5 x 404 -', 'time is up');

        $waiters->add(uri(uuid())) for 1 .. 50;
        ok($waiters->parked, 'held');
        $waiters->leave('abort');
        ok($nginx->wait_idle, 'clients that leave are forgotten');

        my $before = ticks($nginx);
        sleep(1);
        cmp_ok(ticks($nginx) - $before, '<=', 1,
               'no processor time when nobody waits');

        if ($opt{master} // 1) {
            $waiters->add(uri(uuid())) for 1 .. 20;
            ok($waiters->parked, 'held');
            ok($nginx->reload, 'reloaded');
            is(count($waiters->answers(20, slow(2))), '20 x 404 -', 'answered');

            $waiters->add(uri(uuid())) for 1 .. 20;
            ok($waiters->parked, 'held');
            my $start = time;
            $nginx->signal('QUIT');
            is(count($waiters->answers(20, slow(2))), '20 x 404 -',
               'answered at the end');
            ok($nginx->stop, 'nginx ends');
            cmp_ok(time - $start, '<', slow(2), 'at once');

        } else {
            $waiters->add(uri(uuid())) for 1 .. 20;
            ok($waiters->parked, 'held');
            ok($nginx->stop, 'nginx ends');
        }

        no_bad_log($nginx);
    };
}

done_testing();
