# Waiting for a push or a connection: what is waited for and how long, what
# the answer says, and clients that leave.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Waiters;
use IO::Select ();
use Test::More;
use Time::HiRes qw(time sleep);

my $version = `@{[$ENV{TEST_NGINX_BINARY} || 'nginx']} -V 2>&1`;
my $http2 = $version =~ /--with-http_v2_module/ && `nghttp --version 2>&1`;

# "http2" moved out of "listen" in 1.25.1

my ($major, $minor, $patch) = $version =~ m{nginx/(\d+)\.(\d+)\.(\d+)};
my $new = $major * 1e6 + $minor * 1e3 + $patch >= 1_025_001;

my $nginx = CodatTest::Nginx->new(
    workers => 2, level => 'info', worker_connections => 512,
    listen => ['127.0.0.1:{{port}} reuseport',
               $http2 ? '127.0.0.1:{{port2}}' . ($new ? '' : ' http2') : ()],
    conf => {
        http => 'codat_zone zone=codat:4m; codat_credential bearer sesame;
                 codat_zone zone=other:1m;',
        server => ($http2 && $new ? 'http2 on;' : '') . <<'EOC' })->start;
            location = /hook  { codat_webhook zone=codat; }
            location = /other { codat_webhook zone=other; }
            location /codat/  { codat_status zone=codat; }
            location /two/    { codat_status zone=codat; codat_wait 2s; }
            location /none/   { codat_status zone=codat; codat_wait 0; }
            location /guarded { set $key $arg_key; auth_request /auth;
                                stub_status; }
            location = /auth  { internal;
                                rewrite ^ /codat/pushes/$key?wait=5? last; }
            location /second  { set $key $arg_key; auth_request /preferred;
                                stub_status; }
            location = /preferred { internal;
                                rewrite ^ /codat/pushes/$key? last; }
EOC

my $waiters = CodatTest::Waiters->new($nginx);


sub hook {
    my ($event, %opt) = @_;

    my $path = delete $opt{path} // '/hook';
    my $response = $nginx->request('POST', $path,
        { Authorization => 'Bearer sesame' }, body($event, %opt))
        // die "no answer\n";
    die $response->body if $response->status != 200;

    return $response;
}

sub push_event { return hook('invoices.write.' . shift, push_key => @_) }


# get($uri, $headers): an answer, with the time that it took

sub get {
    my ($uri, $headers, $method) = @_;

    my $start = time;
    my $response = $nginx->request($method // 'GET', $uri, $headers, undef,
        timeout => 20, head => ($method // '') eq 'HEAD')
        // die "no answer to $uri\n";
    $response->{took} = time - $start;

    return $response;
}


# what an answer says: status, final status of the row, and what was applied

sub said {
    my $response = shift // return 'no answer';

    my $json = eval { $response->json } // {};
    my $applied = $response->header('preference-applied');

    return join(' ', $response->status,
                $response->status == 200 ? $json->{status} // '-' : (),
                $applied // 'none');
}


sub held { return @{[$waiters->answers(1, $_[0] // 0.3)]} ? 0 : 1 }


sub waiting { return $nginx->request('GET', '/codat/')->json->{waiters} }


# The other worker may be behind.  Asked once more, nginx might count the
# connection of the question before, which it has not yet closed.

sub soon {
    my ($value, $expected, $name) = @_;

    my $got;
    $nginx->_wait_until(sub { $got = $value->(); $got == $expected }, 5);
    is($got, $expected, $name);
}


sub nobody_waits {
    my $name = shift;

    ok($nginx->wait_idle(5), "$name: no connection is left");
    soon(\&waiting, 0, "$name: nobody is counted");
}


subtest 'a push' => sub {
    my $key = uuid();

    $waiters->add("/codat/pushes/$key?wait=10");
    ok(held(), 'held while it is unknown');

    my $start = time;
    push_event('successful', $key);
    my ($answer) = $waiters->answers(1);
    is(said($answer), '200 Success wait=10', 'answered when it is final');
    cmp_ok($answer->{at} - $start, '<', slow(2), 'at once');
    is($answer->json->{pushOperationKey}, $key, 'with the row');

    $answer = get("/codat/pushes/$key?wait=10");
    is(said($answer), '200 Success wait=10', 'what is final is not held');
    cmp_ok($answer->{took}, '<', slow(2), 'answered at once');

    for my $status (qw(Failed TimedOut)) {
        $key = uuid();
        $waiters->add("/codat/pushes/$key?wait=10");
        $waiters->parked;
        push_event('unsuccessful', $key, status => $status);
        is(said($waiters->answers(1)), "200 $status wait=10", "$status");
    }

    push_event('successful', $key);
    $answer = get("/codat/pushes/$key?wait=10");
    is(said($answer), '200 Success wait=10', 'corrected');
    cmp_ok($answer->{took}, '<', slow(2), 'TimedOut was final, so is this');
};


subtest 'a push that is known, and pending' => sub {
    my $key = uuid();

    $waiters->add("/codat/pushes/$key?wait=10");
    ok(held(), 'held while it is unknown');

    my $put = $nginx->request('PUT', "/codat/pushes/$key",
        { 'Content-Type' => 'application/json' }, '{"reference":"r"}');
    like($put->status, qr/^20[01]$/, 'registered by hand');
    ok(held(), 'held on');

    hook('PushOperationStatusChanged', generation => 'legacy',
         push_key => $key, status => 'Pending');
    ok(held(), 'a webhook that says Pending');
    is(said(get("/codat/pushes/$key?wait=1")), '200 Pending wait=1',
       'time is up: Pending');

    push_event('successful', $key);
    is(said($waiters->answers(1)), '200 Success wait=10', 'then final');
};


subtest 'a connection' => sub {
    my $id = uuid();

    $waiters->add("/codat/connections/$id?wait=10");
    ok(held(), 'held while it is unknown');
    hook('connection.connected', connection => $id);
    is(said($waiters->answers(1)), '200 Linked wait=10', 'now it is known');

    $waiters->add("/codat/connections/$id?wait=10");
    ok(held(), 'held, for it is Linked and stays so');
    hook('connection.reconnected', connection => $id);
    hook('invoices.read.completed', connection => $id);
    ok(held(), 'events that do not change the status');
    hook('connection.disconnected', connection => $id);
    is(said($waiters->answers(1)), '200 Unlinked wait=10', 'cut');

    $waiters->add("/codat/connections/$id?wait=10");
    $waiters->parked;
    hook('connection.deleted', connection => $id);
    is(said($waiters->answers(1)), '200 Deleted wait=10', 'deleted');

    $id = uuid();
    $waiters->add("/codat/connections/$id?wait=10");
    hook('invoices.read.completed', connection => $id);
    ok(held(), 'a connection whose status nobody told is unknown yet');
    hook('connection.created', connection => $id);
    is(said($waiters->answers(1)), '200 PendingAuth wait=10', 'now it is');
};


subtest 'who waits for something else is not answered' => sub {
    my ($one, $two) = (uuid(), uuid());

    $waiters->add("/codat/pushes/$one?wait=3");
    $waiters->add("/codat/connections/$one?wait=3");
    $waiters->add("/codat/pushes/$two?wait=3");
    $waiters->parked;

    push_event('successful', $one, path => '/other');
    push_event('successful', uuid());
    ok(held(), 'another zone, another push');

    push_event('successful', $one);
    my @answers = $waiters->answers(3, 0.3);
    is(join(' ', map { $_->{uri} } @answers), "/codat/pushes/$one?wait=3",
       'the one who waits for it');

    is(join(', ', map { said($_) } $waiters->answers(2)),
       '404 wait=3, 404 wait=3', 'the others at the end of the time');
};


subtest 'one event for many' => sub {
    my $key = uuid();

    $waiters->add("/codat/pushes/$key?wait=10") for 1 .. 100;
    ok($waiters->parked, '100 are held');
    push_event('successful', $key);
    my %said;
    $said{said($_)}++ for $waiters->answers(100);
    is_deeply(\%said, { '200 Success wait=10' => 100 }, 'all are answered');
};


subtest 'how long' => sub {
    my $key = uuid();

    for (["/codat/pushes/$key?wait=1", undef, 1, 1],
         ["/two/pushes/$key?wait=60", undef, 2, 2],
         ["/two/pushes/$key?wait=99999999", undef, 2, 2],
         ["/two/pushes/$key?wait=" . '9' x 40, undef, 2, 2],
         ["/two/pushes/$key?wait=" . '0' x 40 . '1', undef, 1, 1],
         ["/two/pushes/$key", 'wait=99999999999999999999999', 2, 2],
         ["/codat/connections/$key", 'wait=1', 1, 1],
         ["/codat/pushes/$key?wait=0", undef, 0, 0],
         ["/codat/pushes/$key", 'wait=0', 0, 0],
         ["/codat/pushes/$key?wait=0", 'wait=5', 0, 0],
         ["/codat/pushes/$key?wait=", 'wait=1', 1, 1],
         ["/codat/pushes/$key?wait=", undef, undef, 0],
         ["/none/pushes/$key?wait=5", undef, undef, 0],
         ["/none/pushes/$key", 'wait=5', undef, 0],
         ["/codat/pushes/$key", undef, undef, 0])
    {
        my ($uri, $prefer, $applied, $seconds) = @$_;

        my $answer = get($uri, { $prefer ? (Prefer => $prefer) : () });
        my $name = $uri =~ s/\Q$key/KEY/r . ($prefer ? ", $prefer" : '');
        is(said($answer), '404 '
           . (defined $applied ? "wait=$applied" : 'none'), $name);
        ok($answer->{took} > $seconds - 0.01 && $answer->{took} < $seconds + slow(0.9),
           "$name: after $seconds s") or diag($answer->{took});
    }
};


subtest 'what is no number' => sub {
    my $key = uuid();

    for my $wait ('x', '-1', '1.5', '1s', '+1', '%2B1', '0x10', '%20', '+',
                  '-' . '9' x 30, '9' x 30 . 'x')
    {
        my $answer = get("/codat/pushes/$key?wait=$wait");
        is($answer->status . ' ' . ((eval { $answer->json } // {})->{code} // ""),
           '400 invalid_query', "wait=$wait");
    }
};


subtest 'Prefer' => sub {
    my $key = uuid();

    my %applied = (
        'wait=1' => 1, 'WAIT=1' => 1, 'wait = 1' => 1, 'wait="1"' => 1,
        'respond-async, wait=1' => 1, 'respond-async,wait=1' => 1,
        'wait=1; foo=bar' => 1, 'wait=1 , respond-async' => 1,
        'foo; wait=5, wait=1' => 1, 'foo="a, wait=5", wait=1' => 1,
        'foo="\", wait=5", wait=1' => 1, ',, wait=1' => 1,
        'wait=1, wait=5' => 1, 'foo="wait=5' => undef,
        'respond-async' => undef, 'wait' => undef, 'wait=' => undef,
        'wait=x' => undef, 'wait=-1' => undef, 'wait=1.5' => undef,
        'wait=x, wait=5' => undef, 'waiting=5' => undef, 'wait5' => undef,
        'foo=wait=5' => undef, '' => undef, '=' => undef, 'wait="' => undef,
    );

    # all at once: most of them take a second

    my %uri;
    for my $prefer (sort keys %applied) {
        my $client = $waiters->add("/codat/pushes/$key", [['Prefer', $prefer]]);
        $client->{prefer} = $prefer;
    }

    for my $answer ($waiters->answers(scalar keys %applied, slow(4))) {
        my $prefer = $answer->{client}{prefer};
        my $wanted = delete $applied{$prefer};
        is(said($answer), '404 '
           . (defined $wanted ? "wait=$wanted" : 'none'), "Prefer: $prefer");
    }
    is(join(' | ', keys %applied), '', 'all were answered');

    is(said(get("/codat/pushes/$key", [['Prefer', 'respond-async'],
                                       ['Prefer', 'foo, wait=1'],
                                       ['prefer', 'wait=5']])),
       '404 wait=1', 'several headers: the first that says it');
    is(said(get("/codat/pushes/$key?wait=1", { Prefer => 'wait=5' })),
       '404 wait=1', 'the argument goes before');
};


subtest 'only one push or connection, only GET and HEAD' => sub {
    my %prefer = (Prefer => 'wait=5');
    my $key = uuid();

    for my $uri ('/codat/pushes', '/codat/connections', '/codat/companies',
                 "/codat/companies/$key", '/codat/events')
    {
        my $answer = get($uri, { %prefer });
        like(said($answer), qr/ none$/, $uri);
        cmp_ok($answer->{took}, '<', slow(4), "$uri: answered at once");
    }

    my $start = time;
    my $answer = $nginx->request('DELETE', "/codat/pushes/$key", { %prefer });
    is($answer->header('preference-applied'), undef, 'DELETE');
    $answer = $nginx->request('PUT', "/codat/pushes/$key",
        { %prefer, 'Content-Type' => 'application/json' }, '{}');
    is($answer->header('preference-applied'), undef, 'PUT');
    cmp_ok(time - $start, '<', slow(4), 'at once');
};


subtest 'HEAD' => sub {
    my $key = uuid();

    $waiters->add("/codat/pushes/$key?wait=5", undef, method => 'HEAD');
    ok(held(), 'held');
    push_event('successful', $key);
    my ($answer) = $waiters->answers(1);
    is($answer->status, 200, 'answered');
    is($answer->header('preference-applied'), 'wait=5', 'with the header');
    cmp_ok($answer->header('content-length'), '>', 50, 'with the length');
    ok(!$answer->{client}->closed(0.1) && !length $answer->{client}{buffer},
       'without a body');
};


subtest 'one connection' => sub {
    my ($key, $client) = (uuid(), $nginx->client);

    for my $round (1 .. 3) {
        is(said($client->request('GET', "/codat/pushes/$key?wait=1")),
           '404 wait=1', "waits, round $round");
    }

    # pipelined: the second one is behind the one that is held

    $client->send($client->build('GET', "/codat/pushes/$key?wait=5")
                  . $client->build('GET', '/codat/pushes/' . uuid() . '?wait=1')
                  . $client->build('GET', "/codat/pushes/$key"));
    ok(!IO::Select->new($client->socket)->can_read(0.3), 'three, held');
    push_event('successful', $key);
    is(said($client->read_response), '200 Success wait=5', 'the first');
    is(said($client->read_response), '404 wait=1', 'the second');
    is(said($client->read_response), '200 Success none', 'the third');

    # those that come while the first one is held

    $key = uuid();
    $client->send($client->build('GET', "/codat/pushes/$key?wait=5"));
    sleep(0.1);
    $client->send($client->build('GET', "/codat/pushes/$key?wait=5"));
    sleep(0.1);
    push_event('successful', $key);
    is(said($client->read_response), '200 Success wait=5', 'one');
    is(said($client->read_response), '200 Success wait=5', 'two');

    # a body does no harm

    $key = uuid();
    my $start = time;
    is(said($client->request('GET', "/codat/pushes/$key?wait=1", {}, 'abc')),
       '404 wait=1', 'with a body');
    is(said($client->request('GET', "/codat/pushes/$key?wait=1")),
       '404 wait=1', 'and the next');
    $client->send($client->build('GET', "/codat/pushes/$key?wait=5",
                                 { 'Content-Length' => 5 }) . 'ab');
    is(said($client->read_response), '404 none',
       'a body that is still coming is not waited with');
    $client->send('cde');
    is(said($client->request('GET', "/codat/pushes/$key?wait=0")),
       '404 wait=0', 'and the next');
    $client->close;
};


subtest 'clients that leave' => sub {
    nobody_waits('before');

    my $key = uuid();
    for my $how ('close', 'abort') {
        my $mine = CodatTest::Waiters->new($nginx);
        $mine->add("/codat/pushes/$key?wait=30") for 1 .. 50;
        ok($mine->parked, 'held');
        soon(sub { $nginx->stub_status->{active} }, 50, 'by nginx');
        soon(\&waiting, 50, 'and counted');
        $mine->leave($how);
        nobody_waits($how);
    }

    my $mine = CodatTest::Waiters->new($nginx);
    my @clients = map { $mine->add("/codat/pushes/$key?wait=30") } 1 .. 20;
    ok($mine->parked, 'held');
    $mine->forget($clients[$_])->abort for map { $_ * 2 } 0 .. 9;
    push_event('successful', $key);
    is(scalar(my @answers = $mine->answers(10)), 10,
       'the others are answered nevertheless');
    is(scalar(grep { said($_) eq '200 Success wait=30' } @answers), 10,
       'as they should be');
    $_->{client}->close for @answers;
    undef $_ for @answers, @clients;
    nobody_waits('some');
};


subtest 'subrequests' => sub {
    my $key = uuid();

    $waiters->add("/guarded?key=$key");
    ok(held(), 'auth_request: the argument counts');
    push_event('successful', $key);
    my ($answer) = $waiters->answers(1);
    like($answer->status . $answer->body, qr/^200Active/, 'goes on');

    # the header is said to the main request

    $key = uuid();
    $answer = get("/second?key=$key", { Prefer => 'wait=5' });
    cmp_ok($answer->{took}, '<', slow(2), 'the header does not');

    my $mine = CodatTest::Waiters->new($nginx);
    $mine->add("/guarded?key=$key") for 1 .. 10;
    ok($mine->parked, 'held');
    $mine->leave('abort');
    push_event('successful', $key);
    nobody_waits('subrequests whose client left');
};


SKIP: {
    skip('no HTTP/2, or no nghttp', 1) unless $http2;

    subtest 'HTTP/2' => sub {
        my @keys = map { uuid() } 1 .. 3;
        my $url = 'http://127.0.0.1:' . $nginx->port(2) . '/codat/pushes/';
        my $start = time;

        my $pid = open(my $out, '-|', 'nghttp', '-v', '-t', '10',
                       map { "$url$_?wait=" . ($_ eq $keys[2] ? 1 : 5) } @keys)
            or die "nghttp: $!\n";
        sleep(0.5);
        push_event('successful', $_) for @keys[1, 0];
        my $text = do { local $/; <$out> };
        close($out);

        is(join(' ', sort $text =~ /:status: (\d+)/g), '200 200 404',
           'three streams');
        is(join(' ', sort $text =~ /preference-applied: (\S+)/g),
           'wait=1 wait=5 wait=5', 'each with its own time');
        cmp_ok(time - $start, '<', slow(3), 'in time');

        my $key = uuid();
        $pid = open($out, '-|', 'nghttp', '-t', '10', map { "$url$key?wait=$_" }
                    20 .. 29) or die "nghttp: $!\n";
        sleep(0.5);
        is($nginx->stub_status->{writing} > 0, 1, 'more streams');
        kill('KILL', $pid);
        close($out);
        nobody_waits('the client left');

        # a stream that is given up, on a connection that is not

        $pid = open($out, '-|', 'sh', '-c', 'exec nghttp -t 1 "$0" 2>&1',
                    "$url$key?wait=20") or die "nghttp: $!\n";
        $text = do { local $/; <$out> };
        close($out);
        nobody_waits('a stream was given up');

        my @old = $nginx->pids;
        $pid = open($out, '-|', 'nghttp', '-v', '-t', '10',
                    map { "$url$key?wait=$_" } 20 .. 29)
            or die "nghttp: $!\n";
        sleep(0.5);
        ok($nginx->reload, 'reloaded');
        $text = do { local $/; <$out> };
        close($out);
        is(scalar(my @all = $text =~ /:status: 404/g), 10,
           'all streams are answered');
        ok($nginx->_wait_until(sub { !grep { kill(0, $_) } @old }, 3),
           'the old workers are gone');
    };
}


$_->{client} and $_->{client}->close for $waiters->answers(1, 0.01);
nobody_waits('at the end');
ok($nginx->stop, 'nginx ends in time');
no_bad_log($nginx);
unlike($nginx->error_log, qr/\[(error|warn)\](?!.*(refused|client))/,
       'no error, no warning');

for (['x', qr/"codat_wait" has an invalid "x": a time of whole seconds up to 1d, or 0, is expected/],
     ['500ms', qr/has an invalid "500ms"/], ['25h', qr/has an invalid "25h"/],
     ['-1', qr/has an invalid "-1"/], ['1s 2s', qr/number of arguments/],
     ['1s; codat_wait 1s', qr/is duplicate/], ['1d', qr/successful/],
     ['0', qr/successful/], ['90', qr/successful/])
{
    my ($value, $said) = @$_;
    my $checked = CodatTest::Nginx->new(conf => { http =>
        "codat_wait $value;" });
    like(($checked->check)[1], $said, "codat_wait $value");
}

done_testing();
