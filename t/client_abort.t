# Clients that leave, at any point, and workers that have to go while a
# webhook is under way: no connection is left, nothing is logged that should
# not be, and the next webhook is served.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use CodatTest;
use File::Temp ();
use Time::HiRes qw(time sleep);

my $secret = new_secret();
my $dir = File::Temp->newdir;
my $answer = "$dir/answer";             # /held is answered when it is there
my $app = CodatTest::Upstream->new(handler => sub {
    my $request = shift;
    my ($delay) = $request->{uri} =~ m{^/app/([\d.]+)};
    wait_until(sub { -e $answer }) if $request->{uri} eq '/app/held';
    return { status => 204, delay => $delay };
});

# nginx itself can miss the end of a connection that it has just put aside for
# further requests (any location that answers before the body shows it): that
# one ends with the time-out

my $nginx = CodatTest::Nginx->new(level => 'info', conf => {
    http => "codat_zone zone=codat:4m;
             codat_credential signature $secret;
             keepalive_timeout 2s;",
    server => 'location /plain { codat_webhook zone=codat; }
               location /file { codat_webhook zone=codat;
                   client_body_in_file_only clean; }
               location /slow { codat_webhook zone=codat;
                   codat_forward * /app/0.4; }
               location /held { codat_webhook zone=codat;
                   codat_forward * /app/held; }
               location /two { codat_webhook zone=codat;
                   codat_forward * /app/0.2;
                   codat_forward * /app/0.4 optional; }
               location /late { codat_webhook zone=codat;
                   codat_forward_timeout 100ms; codat_forward * /app/0.5; }
               location /app { proxy_pass http://' . $app->address . '; }',
})->start;

my $body = '{"id":"e-1","eventType":"company.added","pad":"'
    . 'x' x 100_000 . '","payload":{}}';


# webhook($uri, %opt): headers and body of one, apart

sub webhook {
    my ($client, $uri, %opt) = @_;

    my $text = $opt{body} // $body;
    my $headers = $opt{headers} // signed_headers($secret, $text, %opt);
    my $bytes = $client->build('POST', $uri, $headers, $text,
                               $opt{chunked} ? (chunked => 5000) : ());

    return split(/(?<=\r\n\r\n)/, $bytes, 2);
}

sub outcome {
    my $response = shift // return 'no answer';
    my $json = eval { $response->json } // {};

    return CORE::join(' ', $response->status,
                      $json->{code} // $json->{result} // '?');
}

sub wait_until {
    my ($condition, $timeout) = @_;
    my $until = time + slow($timeout // 10);

    while (time < $until) {
        return 1 if $condition->();
        sleep(0.01);
    }

    return 0;
}

# all is well again: nothing open, no temporary file, a webhook is taken

sub well {
    my $name = shift;

    ok($nginx->wait_idle, "$name: no connection is left");
    my $status = $nginx->stub_status;
    is("$status->{active} $status->{reading} $status->{writing}"
       . " $status->{waiting}", '0 0 0 0', "$name: counters");
    ok(wait_until(sub { !glob($nginx->prefix . '/temp/*/*') }),
       "$name: no temporary file is left");

    my $response = $nginx->request('POST', '/plain',
                                   signed_headers($secret, '{}'), '{}');
    is(outcome($response), '200 accepted', "$name: the next one is taken");
    no_bad_log($nginx, name => "$name: nothing bad in the log");
    $nginx->mark;
}


# what a client has sent before it leaves

my %before = (
    'nothing' => sub { },
    'half a line' => sub { $_[0]->send('POST /pl') },
    'half of the headers' => sub {
        my ($head) = webhook($_[0], $_[1]);
        $_[0]->send(substr($head, 0, length($head) - 20));
    },
    'the headers' => sub { $_[0]->send((webhook($_[0], $_[1]))[0]) },
    'half a body' => sub {
        my ($head, $rest) = webhook($_[0], $_[1]);
        $_[0]->send($head . substr($rest, 0, 50_000));
    },
    'half a body, chunked' => sub {
        my ($head, $rest) = webhook($_[0], $_[1], chunked => 1);
        $_[0]->send($head . substr($rest, 0, 50_002));
    },
    'all but the last chunk' => sub {
        my ($head, $rest) = webhook($_[0], $_[1], chunked => 1);
        $_[0]->send($head . substr($rest, 0, -5));
    },
    'everything' => sub { $_[0]->send($_) for webhook($_[0], $_[1]) },
    'everything, unsigned' => sub {
        $_[0]->send($_) for webhook($_[0], $_[1], headers => '');
    },
    'half a body, unsigned' => sub {
        my ($head, $rest) = webhook($_[0], $_[1], headers => '');
        $_[0]->send($head . substr($rest, 0, 50_000));
    },
    'two requests' => sub {
        $_[0]->send(CORE::join('', map { webhook($_[0], $_[1]) } 1, 2));
    },
    'a request and a half' => sub {
        my ($head, $rest) = webhook($_[0], $_[1]);
        $_[0]->send($head . $rest . $head . substr($rest, 0, 9));
    },
    'Expect, then nothing' => sub {
        my ($head) = webhook($_[0], $_[1], headers =>
            signed_headers($secret, $body) . "Expect: 100-continue\n");
        $_[0]->send($head);
        $_[0]->read_response(interim => 1);
    },
);

my %leave = (
    'closes' => sub { $_[0]->close },
    'resets' => sub { $_[0]->abort },
    'ends its side, then closes' => sub {
        $_[0]->half_close;
        $_[0]->read_response(timeout => 0.05);
        $_[0]->close;
    },
);

for my $sent (sort keys %before) {
    for my $how (sort keys %leave) {
        for my $uri ('/plain', '/file', '/slow') {
            my @clients = map { $nginx->client } 1 .. 3;
            $before{$sent}->($_, $uri) for @clients;
            $leave{$how}->($_) for @clients;
        }
        well("$sent, $how");
    }
}


# the application is at work when the client goes: the event is delivered
# once, and what Codat sends again is a duplicate

for my $uri ('/slow', '/two') {
    for my $how (sort keys %leave) {
        my $name = "$uri: under way, $how";
        my $calls = $uri eq '/two' ? 2 : 1;

        $app->reset;
        my $id = 'msg_' . uuid();
        my $client = $nginx->client;
        $client->send($_) for webhook($client, $uri, id => $id);
        is(scalar(my @first = $app->wait_requests($calls)), $calls,
           "$name: the application is called");
        $leave{$how}->($client);

        my $again = sub {
            outcome($nginx->request('POST', $uri,
                signed_headers($secret, $body, id => $id), $body)) };
        my ($result, %seen);
        wait_until(sub { $seen{$result = $again->()}++; $result =~ /^200/ });
        is($result, '200 duplicate', "$name: the same message again");
        delete @seen{'200 duplicate', '503 in_progress'};
        is_deeply(\%seen, {}, "$name: ... and nothing else before that");
        is(scalar(my @all = $app->requests), $calls,
           "$name: the application was called once");
        well($name);
    }
}


# ... or later than it may

for my $how (sort keys %leave) {
    $app->reset;
    my $id = 'msg_' . uuid();
    my $client = $nginx->client;
    $client->send($_) for webhook($client, '/late', id => $id);
    $app->wait_requests(1);
    $leave{$how}->($client);
    well("late, $how");
}

{
    my $client = $nginx->client;
    $client->send($_) for webhook($client, '/late');
    is(outcome($client->read_response), '504 forward_timeout', 'late: 504');
    $client->abort;
    well('late, resets after the answer');
}


# who only ends its side still reads the answer

{
    my $client = $nginx->client;
    $client->send($_) for webhook($client, '/slow');
    $client->half_close;
    is(outcome($client->read_response), '200 accepted',
       'half-closed: the answer comes');
    $client->close;
    well('half-closed');
}


# many at once, all leaving

{
    my @clients = map { $nginx->client } 1 .. 60;
    my @ways = sort keys %before;
    for my $i (0 .. $#clients) {
        next if $ways[$i % @ways] eq 'Expect, then nothing';
        $before{$ways[$i % @ways]}->($clients[$i],
                                     ('/plain', '/slow', '/two')[$i % 3]);
    }
    $_->abort for @clients;
    well('sixty at once');
}


# new workers and old ones: requests are brought to their end

for my $case (
    ['reload', sub { $nginx->reload }],
    ['QUIT of the worker', sub {
         my ($pid) = $nginx->pids;
         kill('QUIT', $pid) }],
) {
    my ($name, $replace) = @$case;

    $app->reset;
    unlink($answer);
    my ($old) = $nginx->pids;
    my $id = 'msg_' . uuid();

    my $slow = $nginx->client;                      # waits for the application
    $slow->send($_) for webhook($slow, '/held', id => $id);
    my $half = $nginx->client;                      # in the middle of its body
    my ($head, $rest) = webhook($half, '/plain');
    $half->send($head . substr($rest, 0, 100));
    my $gone = $nginx->client;                      # leaves while it waits
    $gone->send($_) for webhook($gone, '/held');

    is(scalar(my @two = $app->wait_requests(2)), 2, "$name: under way");
    ok(wait_until(sub { $nginx->stub_status->{active} == 3 }),
       "$name: three connections");
    ok($replace->(), "$name: done");
    ok(wait_until(sub {
        $nginx->error_log =~ /\*?gracefully shutting down/ }),
       "$name: the old worker knows");
    $gone->abort;
    $half->send(substr($rest, 100));
    open(my $fh, '>', $answer) or die "$answer: $!\n";

    is(outcome($slow->read_response), '200 accepted',
       "$name: the one that waited is answered");
    is(outcome($half->read_response), '200 accepted',
       "$name: the half one is answered");
    $_->close for $slow, $half;

    ok(wait_until(sub { !kill(0, $old) }), "$name: the old worker ends");
    ok(wait_until(sub {
        my @now = $nginx->pids(all => 1);
        return @now == 1 && $now[0] != $old && $nginx->_serves }),
       "$name: one new worker");

    is(outcome($nginx->request('POST', '/held',
        signed_headers($secret, $body, id => $id), $body)), '200 duplicate',
       "$name: the new worker knows what the old one did");
    is(scalar(my @all = $app->requests), 2,
       "$name: the application was called once for each");
    well($name);
}


my $log = $nginx->error_log(all => 1);
unlike($log, qr/ \[(?:warn|error)\] (?!.*codat:\ webhook\ refused,
                 |.*codat:\ forward\ to)/x,
       'nothing louder than what was refused');
my $key = $secret =~ s/^whsec_//r;
unlike($log, qr/\Q$key\E/, 'no secret in the log');
no_bad_log($nginx->error_log(all => 1), name => 'nothing bad at all');
ok($nginx->stop, 'nginx stops');

done_testing();
