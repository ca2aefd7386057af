# Long lists of the status API: made piece by piece while rows come and go,
# as fast as the client reads, and with a chance for others

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Status;
use IO::Handle ();
use Socket qw(SOL_SOCKET SO_RCVBUF);
use Test::More;
use Time::HiRes qw(time sleep);

my $rows = 20000;

my $api = CodatTest::Status->new(
    size => '64m', workers => 1,
    listen => ['127.0.0.1:{{port}}', '127.0.0.1:{{port1}} sndbuf=16k'],
    http => 'keepalive_requests 10000000; keepalive_time 1d;
             keepalive_timeout 1h; client_header_timeout 1h;',
    server => '
        location /hasty/ { codat_status zone=codat; send_timeout 300ms; }
        location /rated/ { codat_status zone=codat; limit_rate 3m; }
        location /held/ { codat_status zone=codat; postpone_output 1m; }
        location /gzip/ { codat_status zone=codat; gzip on; gzip_types *; }
    ');
my $nginx = $api->nginx;
my $company = uuid();

# sanitized code is slow
sub client { $nginx->client(timeout => 60, @_) }


# requests that are sent in bunches: [method, path, body]; dies unless all are
# answered with success

sub pipeline {
    my ($client, @requests) = @_;

    while (my @bunch = splice(@requests, 0, 50)) {
        $client->send(join('', map {
            $client->build($_->[0], $_->[1], {}, $_->[2])
        } @bunch)) or die $client->error;

        for my $one (@bunch) {
            my $response = $client->read_response(timeout => 60)
                // die $client->error;
            die "$one->[0] $one->[1]: ", $response->body
                if $response->status !~ /^2/;
        }
    }
}


sub put { map { ['PUT', "/codat/pushes/$_", qq({"reference":"r","companyId":"$company"})] } @_ }


# keys of a list as text: parsing it takes long

sub scan_keys { $_[0] =~ /"pushOperationKey":"([^"]+)"/g }


# what a list of all must be: each row that was there all the time once, no
# row twice, nothing that never was

sub steady {
    my ($name, $always, $perhaps, @got) = @_;

    my %count;
    $count{$_}++ for @got;

    is(scalar(grep { ($count{$_} // 0) != 1 } @$always), 0,
       "$name: each steady row once");
    is(scalar(grep { $_ > 1 } values %count), 0, "$name: no row twice");

    my %known = map { $_ => 1 } @$always;
    is(scalar(grep { !$known{$_} && !$perhaps->{$_} && !/^new-/ }
              keys %count), 0, "$name: nothing else");
}


# A process that adds, changes and deletes rows until it is stopped

my @passing = map { "passing-$_" } 1 .. 2000;

sub disturb {
    my $pid = fork() // die "fork: $!\n";
    return $pid if $pid;

    my $client = client();
    my $n = 0;
    my $event = body('invoices.write.successful', company => $company,
                     push_key => '{{key}}');

    $SIG{TERM} = sub { POSIX::_exit(0) };
    require POSIX;

    eval {
        while (1) {
            my @some = map { $passing[rand @passing] } 1 .. 10;
            my %once = map { $_ => 1 } @some;

            pipeline($client, put(map { "new-$$-" . $n++ } 1 .. 10));
            pipeline($client, put(keys %once));
            pipeline($client, map { ['DELETE', "/codat/pushes/$_"] }
                     keys %once);
            pipeline($client, put(keys %once));

            # events for rows that are listed
            for my $key ("steady-" . int rand $rows) {
                my $response = $client->request('POST', '/hook',
                    { Authorization => 'Bearer sesame' },
                    ($event =~ s/\{\{key\}\}/$key/r)
                        =~ s/"id":"[^"]+"/'"id":"' . uuid() . '"'/er)
                    // die $client->error;
                die $response->body if $response->status != 200;
            }
        }
    };

    print STDERR $@;
    POSIX::_exit(1);
}

sub calm {
    my $pid = shift;

    kill('TERM', $pid);
    waitpid($pid, 0);
    is($?, 0, 'the others had their answers');
}


my @steady = map { "steady-$_" } 0 .. $rows - 1;
my %perhaps = map { $_ => 1 } @passing;

pipeline(client(), put(@steady[0 .. $rows / 2]));
pipeline(client(), put(@passing));
pipeline(client(), put(@steady[$rows / 2 + 1 .. $rows - 1]));


subtest 'all rows in one answer' => sub {
    my $response = $api->request('GET', "/pushes?limit=$rows");
    is($response->header('transfer-encoding'), 'chunked', 'chunked');
    is($response->header('content-length'), undef, 'no Content-Length');

    my $page = $response->json;
    is(scalar @{$page->{results}}, $rows, 'as many as wanted');
    like($page->{next}, qr/^[0-9a-f]+$/, 'there are more');

    my $rest = $api->get("/pushes?limit=1000000&after=$page->{next}");
    is($rest->{next}, undef, 'the rest');
    is_deeply([map { $_->{pushOperationKey} } @{$page->{results}},
               @{$rest->{results}}],
              [reverse @steady[0 .. $rows / 2], @passing,
               @steady[$rows / 2 + 1 .. $rows - 1]], 'newest first');

    # a piece of exactly the list, or one row more or less
    for my $n (1, 127, 128, 129, 130, 255, 256, 257) {
        my $response = $api->request('GET', "/pushes?limit=$n");
        is(scalar @{$response->json->{results}}, $n, "$n rows");
        is($response->header('content-length'), $n < 128
           ? length $response->body : undef, "$n rows: length");
    }
};


subtest 'while rows come, change and go' => sub {
    my $pid = disturb();

    for my $try (1 .. 5) {
        my $body = $api->quick('GET', '/codat/pushes?limit=1000000')->body;
        steady("list $try", \@steady, \%perhaps, scan_keys($body));
    }

    for my $size (97, 3000) {
        my (@got, $next);
        do {
            my $after = $next ? "&after=$next" : '';
            my $body = $api->quick('GET',
                "/codat/pushes?companyId=$company&limit=$size$after")->body;
            push @got, scan_keys($body);
            ($next) = $body =~ /"next":"(.*?)"/;
        } while ($next);
        steady("pages of $size", \@steady, \%perhaps, @got);
    }

    my $body = $api->quick('GET', '/codat/pushes?reference=r&limit=1000000')
        ->body;
    my %changed = map { $_ => 1 } scan_keys($body);
    is(scalar(grep { !$changed{$_} } @steady), 0, 'by reference');

    calm($pid);
};


subtest 'a list leaves room for others' => sub {
    my $client = client();
    my $other = client();
    my (@times, $began);

    my $pid = fork() // die "fork: $!\n";
    if (!$pid) {
        require POSIX;
        $SIG{TERM} = sub { POSIX::_exit(0) };
        $client->request('GET', '/codat/pushes?limit=1000000', {}, undef,
                         timeout => 60) or POSIX::_exit(1) while 1;
    }

    sleep(0.2);
    for (1 .. 100) {
        $began = time;
        is($other->request('GET', '/codat/health')->status, 200, 'health')
            if $_ % 50 == 0;
        $other->request('GET', '/codat/health') if $_ % 50;
        push @times, time - $began;
    }

    calm($pid);
    @times = sort { $a <=> $b } @times;
    cmp_ok($times[50], '<', slow(0.02), "answered in $times[50] s, mostly");
};


sub resident {
    my ($pid) = $nginx->pids;
    open(my $fh, '<', "/proc/$pid/status") or die;
    my ($private) = join('', <$fh>) =~ /^RssAnon:\s+(\d+) kB/m;

    return $private;
}


subtest 'a slow reader' => sub {
    my $before = resident();
    my @clients = map { client(port => $nginx->port(1)) } 1 .. 5;

    $_->send($_->build('GET', '/codat/pushes?limit=1000000')) for @clients;
    sleep(0.5);

    cmp_ok(resident() - $before, '<', 3000,
           'what is not read is not in memory');
    is($api->request('GET', '/health')->status, 200, 'others are served');

    my $first = shift @clients;
    my $text = '';
    for (1 .. 20) {
        $text .= $first->read_bytes(9999);
        sleep(0.01);
    }
    like($text, qr/^HTTP.*\{"results":\[\{"push/s, 'it begins');
    $first->{buffer} = $text . $first->{buffer};

    for my $client ($first, @clients) {
        my $response = $client->read_response // die $client->error;
        steady('all of it', \@steady, \%perhaps, scan_keys($response->body));
        like($response->body, qr/\],"next":null\}$/, 'to the end');
        is($client->request('GET', '/codat/health')->status, 200,
           'the connection goes on');
        $client->close;
    }
};


subtest 'clients that leave' => sub {
    $nginx->mark;

    for my $n (1 .. 20) {
        my $client = client(port => $nginx->port($n % 2 || ''));
        $client->send($client->build('GET', '/codat/pushes?limit=1000000'));
        $client->read_bytes(1000) if $n % 3;
        $n % 5 ? $client->abort : $client->close;
    }

    $api->{client}->close;
    ok($nginx->wait_idle(5), 'are forgotten');
    no_bad_log($nginx);
    $api->{client} = client();
};


subtest 'a client that does not read' => sub {
    $nginx->mark;
    my $client = client(port => $nginx->port(1));
    $client->send($client->build('GET', '/hasty/pushes?limit=1000000'));

    ok($nginx->wait_log(qr/client timed out/, 3), 'send_timeout');
    $client->close;

    my $body = client()->request('GET', '/hasty/pushes?limit=1000000')
        ->body;
    steady('one that reads has all the time', \@steady, \%perhaps,
           scan_keys($body));
};


subtest 'other outputs' => sub {
    my $check = sub {
        my ($name, $body) = @_;
        steady($name, \@steady, \%perhaps, scan_keys($body));
        like($body, qr/\A\{"results":\[.*\],"next":null\}\z/s, "$name: whole");
    };

    my $began = time;
    my $response = client()->request('GET', '/rated/pushes?limit=1000000');
    $check->('limit_rate', $response->body);
    cmp_ok(time - $began, '>', length($response->body) / (3 << 20) - 1.5,
           'it takes its time');

    $check->('postpone_output',
             client()->request('GET', '/held/pushes?limit=1000000')->body);

    my $client = client();
    $response = $client->request('GET', '/codat/pushes?limit=1000000', {},
                                 undef, version => '1.0');
    is($response->header('transfer-encoding'), undef, 'HTTP/1.0: not chunked');
    $check->('HTTP/1.0', $response->body);

    SKIP: {
        skip('no IO::Uncompress::Gunzip', 4)
            if !eval { require IO::Uncompress::Gunzip };
        $response = client()->request('GET', '/gzip/pushes?limit=1000000',
                                      { 'Accept-Encoding' => 'gzip' });
        is($response->header('content-encoding'), 'gzip', 'gzip');
        my $packed = $response->body;
        IO::Uncompress::Gunzip::gunzip(\$packed => \my $text);
        $check->('gzip', $text);
    }

    $began = time;
    $client = client();
    $response = $client->request('HEAD', '/codat/pushes?limit=1000000');
    is($response->status, 200, 'HEAD');
    is($response->header('content-length'), undef, 'HEAD: no length');
    cmp_ok(time - $began, '<', slow(0.5), 'HEAD: without making the list');
    is($client->request('GET', '/codat/health')->status, 200,
       'HEAD: the connection goes on');
};


subtest 'pipelined behind a list' => sub {
    my $client = client();
    $client->send(join('', map { $client->build('GET', "/codat/$_") }
                       'pushes?limit=1000000', 'health',
                       'pushes?limit=1000000', 'health'));

    for (1, 2) {
        steady("list $_", \@steady, \%perhaps,
               scan_keys($client->read_response->body));
        is($client->read_response->json->{status}, 'ok', 'health');
    }
};


subtest 'a reload does not cut lists' => sub {
    my @clients = map { client(port => $nginx->port(1)) } 1 .. 3;
    $_->send($_->build('GET', '/codat/pushes?limit=1000000')) for @clients;
    $_->read_bytes(100) for @clients;

    my $fast = client();
    $fast->send($fast->build('GET', '/codat/pushes?limit=1000000'));

    $api->{client}->close;
    ok($nginx->reload, 'reload');

    my $page = $fast->read_response;
    steady('a quick one', \@steady, \%perhaps, scan_keys($page->body));

    for my $client (@clients) {
        my $text = '';
        while (1) {
            my $bytes = $client->read_bytes(1 << 20);
            last if $bytes eq '';
            $text .= $bytes;
        }
        like($text, qr/\],"next":null\}\r\n0\r\n\r\n$/, 'whole');
    }

    $api->{client} = client();
};


subtest 'a restart ends cursors' => sub {
    my $pushes = $api->get('/pushes?limit=1')->{next};
    my $events = $api->get('/events?limit=1')->{next};

    ok($nginx->reload, 'reload');
    $api->{client} = client();
    is(scalar @{$api->get("/pushes?limit=2&after=$pushes")->{results}}, 2,
       'they live over a reload');

    $api->{client}->close;
    ok($nginx->stop, 'stop');
    no_bad_log($nginx);
    $nginx->start;
    $api->{client} = client();

    $api->refused(400, 'invalid_cursor', qr/ is of another zone, or older /,
                  'GET', "/pushes?after=$pushes");
    $api->refused(400, 'invalid_cursor', qr/ is of another zone, or older /,
                  'GET', "/events?after=$events");
};


$api->done;
done_testing();
