# Workers that are killed under load, again and again, with a zone so small
# that they spend their time in changing it.  What was answered stays true.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Crowd;
use CodatTest::Metrics;
use CodatTest::Status;
use CodatTest::Upstream;
use IO::Socket::INET ();
use Test::More;
use Time::HiRes qw(time sleep);


my $app = CodatTest::Upstream->new(answer => { status => 200 });

my $api = CodatTest::Status->new(
    size => '128k', workers => 4, level => 'warn', worker_connections => 256,
    listen => '127.0.0.1:{{port}} reuseport',
    http => 'keepalive_requests 100000; codat_wait 20s;',
    server => <<"EOC");
        location = /forwarded { codat_webhook zone=codat;
                                codat_forward * /app; }
        location /app { internal; proxy_pass http://@{[$app->address]}; }
EOC

my $nginx = $api->nginx;
my $seconds = 6;

my %headers = (Authorization => 'Bearer sesame',
               'Content-Type' => 'application/json');

my $final = body('bills.write.successful', push_key => 'PUSH');
my $read = body('read.completed.successful', connection => uuid(),
                data_type => join(',', qw(bills items suppliers customers
                                          invoices payments accounts)));


sub key_of { sprintf('%08x-0000-4000-8000-%012x', $_[0], $_[1]) }


# until there is an answer: it may have been cut off

sub insist {
    my ($send, @request) = @_;

    my $until = time + slow(10);

    while (time < $until) {
        my $response = $send->(@request);
        return $response if $response && $response->status != 503;
        sleep(0.01);
    }

    return undef;
}


# Requests by the hundred that make, list, change and forget pushes, whatever
# the answers are; returns how many there were.  It is to be cheap, so that
# the workers are busy, and not this process.

sub shake {
    my ($number, $end) = @_;

    my $batch = '';

    for my $n (1 .. 300) {
        my $uri = '/codat/pushes/' . key_of(100 + $number, $n % 30);
        my $body = '{"reference":"' . 'r' x rand(200) . $n % 9 . '"}';

        my $head = $n % 7 == 0 ? "DELETE $uri"
            # looks at every row, and finds none
            : $n % 4 == 0 ? 'GET /codat/pushes?status=TimedOut' : "PUT $uri";

        $body = '' if $head !~ /^PUT/;
        $batch .= "$head HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
            . length($body) . "\r\n"
            . ($n == 300 ? "Connection: close\r\n" : '') . "\r\n$body";
    }

    my $answers = 0;
    local $SIG{PIPE} = 'IGNORE';

    while (time < $end) {
        my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                           PeerPort => $nginx->port,
                                           Timeout => 2) // next;
        print $socket $batch;
        $socket->flush;

        my ($in, $text) = ('', '');
        vec($in, fileno($socket), 1) = 1;

        while (select(my $ready = $in, undef, undef, 2)) {
            sysread($socket, $text, 1 << 20, length $text) or last;
        }

        $answers += () = $text =~ m{HTTP/1\.1 \d}g;
    }

    return { answers => $answers };
}


# a worker that is at work at this moment, if there is one

sub busy {
    my @pids = $nginx->pids;

    my @busy = grep {
        CodatTest::Nginx::_read_from("/proc/$_/stat", 0)
            =~ /^\d+ \(.*\) R /;
    } @pids;

    @pids = @busy if @busy;

    return $pids[rand @pids];
}


my @pending = map { uuid() } 1 .. 25;

subtest 'pushes that are pending' => sub {
    for my $n (0 .. $#pending) {
        my $response = $api->quick('PUT', "/codat/pushes/$pending[$n]", {},
            qq({"reference":"order $n"}));
        is($response->status, 201, "push $n");
    }
};


my ($kills, @results) = (0);

subtest 'load' => sub {
    my $end = time + slow($seconds);

    my $crowd = CodatTest::Crowd->new(3, sub {
        my $number = shift;
        my $send = sender($nginx, timeout => 5);
        my ($accepted, @bad) = (0);

        for (my $n = 1; time < $end; $n++) {
            my $id = "kill-$number-$n";
            my $path = $n % 4 ? '/hook' : '/forwarded';
            my $key = key_of($number, $n);
            my $body = $n % 5 ? $final =~ s/PUSH/$key/gr : $read;

            my $result = sub {
                my $response = insist($send, 'POST', $path,
                    { %headers, 'webhook-id' => $id }, $body);
                return 'none' unless $response;
                return $response->status . ' '
                    . (eval { $response->json->{result} } // '');
            };

            my $first = $result->();

            if ($first eq '200 accepted') {
                $accepted++;

            } elsif ($first ne '200 duplicate') {
                push @bad, "$id: $first";
            }

            # what was accepted is known by every worker, also by the next
            my $second = $result->();
            push @bad, "$id, copy: $second" if $second ne '200 duplicate';

            # a push of a moment ago; the zone holds some hundred
            if ($n % 5) {
                my $response = insist($send, 'GET', "/codat/pushes/$key");
                my $row = $response && $response->status == 200
                    ? eval { $response->json } // {} : {};
                push @bad, "$id: no push" . ($response
                                             ? $response->status : '')
                    if ($row->{status} // '') ne 'Success';
            }

            # lists hold the lock, too
            if ($n % 7 == 0) {
                my $response = insist($send, 'GET',
                    '/codat/pushes?status=Pending&limit=1000');
                my %listed = map { $_->{pushOperationKey} => 1 }
                    @{($response ? eval { $response->json->{results} } : 0)
                      || []};
                push @bad, 'list: ' . keys %listed
                    if grep { !$listed{$_} } @pending;
            }
        }

        return { accepted => $accepted, bad => \@bad };
    });

    # and some that keep the workers in the lock: one that is killed in there
    # leaves the links half-way
    my $shakers = CodatTest::Crowd->new(2, sub { shake(shift, $end) });

    while (time < $end) {
        my $pid = busy();
        $kills += kill('KILL', $pid) if $pid;

        # a new one has to get somewhere: it begins more slowly, too
        sleep(slow(slow(0.005 + rand(0.03))));
    }

    @results = $crowd->results;
    my @shaken = map { $_->{answers} // 0 } $shakers->results;
    cmp_ok($_, '>', 100 / slow(1), "$_ requests in batches") for @shaken;

    my $accepted = 0;
    for my $result (@results) {
        is($result->{died}, undef, 'a client');
        is_deeply([@{$result->{bad}}[0 .. ($#{$result->{bad}} > 5
                                           ? 5 : $#{$result->{bad}})]],
                  [], 'got right answers');
        $accepted += $result->{accepted};
    }

    cmp_ok($kills, '>', 20, "$kills workers were killed");
    cmp_ok($accepted, '>', 50 / slow(1), "$accepted events were accepted");
};


subtest 'afterwards' => sub {
    my $send = sender($nginx);

    my @wrong = grep {
        my $response = insist($send, 'GET', "/codat/pushes/$pending[$_]");
        my $row = $response && $response->status == 200 ? $response->json : {};
        ($row->{status} // '') ne 'Pending'
            || ($row->{reference} // '') ne "order $_";
    } 0 .. $#pending;
    is_deeply(\@wrong, [], 'every pending push is as it was');

    @wrong = grep {
        my $response = insist($send, 'GET',
                              "/codat/pushes?reference=order%20$_");
        my $rows = $response ? $response->json->{results} : [];
        @$rows != 1 || $rows->[0]{pushOperationKey} ne $pending[$_];
    } 0 .. $#pending;
    is_deeply(\@wrong, [], 'and found by its reference');

    my (%met, $next);

    do {
        my $page = insist($send, 'GET', '/codat/pushes?limit=50'
                          . ($next ? "&after=$next" : ''))->json;
        $met{$_->{pushOperationKey}}++ for @{$page->{results}};
        $next = $page->{next};
    } while (defined $next);

    is_deeply([grep { $met{$_} > 1 } keys %met], [], 'no push is listed twice');

    my $overview = insist($send, 'GET', '/codat/')->json;
    is(scalar keys %met, $overview->{rows}{pushes},
       "as many are listed as there are: $overview->{rows}{pushes}");

    my $page = CodatTest::Metrics->new(
        insist($send, 'GET', '/codat/metrics')->body);
    note('repairs of the zone: ',
         $page->value('codat_zone_repairs_total') // 0);
    is_deeply($page->errors, [], 'metrics are well-formed');

    my $events = insist($send, 'GET', '/codat/events?limit=100')->json;
    cmp_ok(scalar @{$events->{results}}, '>', 3, 'recent events are listed');

    # nothing is in progress for ever
    my %results;
    for my $number (1 .. 3) {
        for my $n (map { 4 * $_ } 1 .. 40) {
            my $key = key_of($number, $n);
            my $response = insist($send, 'POST', '/forwarded',
                { %headers, 'webhook-id' => "kill-$number-$n" },
                $n % 5 ? $final =~ s/PUSH/$key/gr : $read);
            $results{$response ? $response->status . ' '
                     . $response->json->{result} : 'none'}++;
        }
    }
    is_deeply([grep { !/^200 (?:accepted|duplicate)$/ } keys %results], [],
              'old messages are served');

    # all workers are alive: each takes part, as none is hung at the lock
    my @answers = map { insist(sender($nginx), 'GET', '/codat/health') }
        1 .. 40;
    is(scalar(grep { $_ && $_->status == 200 } @answers), 40,
       '40 connections, whichever worker has them');
};


subtest 'those who wait' => sub {
    my $key = $pending[0];
    my @clients = map { $nginx->client(timeout => 15) } 1 .. 8;

    $_->send($_->build('GET', "/codat/pushes/$key?wait=15")) for @clients;
    sleep(0.3);

    $nginx->kill_worker('KILL', 0);

    my $send = sender($nginx);
    my $start = time;
    my $response = insist($send, 'POST', '/hook',
        { %headers, 'webhook-id' => 'final' }, $final =~ s/PUSH/$key/gr);
    is($response && $response->status, 200, 'the push ends');

    my @answers = grep { defined } map { $_->read_response } @clients;
    is_deeply([grep { $_->json->{status} ne 'Success' } @answers], [],
              'all that are left are told');
    cmp_ok(time - $start, '<', slow(5), 'at once');
    cmp_ok(scalar @answers, '<=', 8, scalar(@answers) . ' are left');
};


$api->{client}->close;
ok($nginx->stop, 'nginx ends in time');

no_bad_log($nginx->error_log(all => 1) . $nginx->stderr,
           except => qr/exited on signal 9|was locked by/);

done_testing();
