# A disk that takes its time: webhooks wait for it, in groups, and whatever
# else the same worker does is not held up.  One that does not answer at all:
# webhooks are refused after ten seconds, and nothing is lost.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Faults;
use CodatTest::Upstream;
use Test::More;
use Time::HiRes qw(time sleep);

my $faults = CodatTest::Faults->new;
plan skip_all => 'no LD_PRELOAD here' if !$faults;

my $app = CodatTest::Upstream->new(answer => { status => 204 });
my $nginx = CodatTest::Nginx->new(level => 'info', workers => 1,
    worker_connections => 512, conf => {
    http => 'codat_zone zone=codat:2m store=sqlite:{{prefix}}/codat.db;'
        . ' codat_credential bearer sesame;',
    server => "location /codat/ { codat_status zone=codat; }"
        . " location /app/ { internal; proxy_pass http://@{[$app->address]}; }"
        . " location = /hook { codat_webhook zone=codat;"
        . " codat_forward * /app/; }"
        . " location = /if { codat_webhook zone=codat;"
        . " codat_forward * /app/ if=\$codat_reference; }" });

my $success = body('items.write.successful', push_key => uuid());
my $unknown = body('items.write.successful', push_key => uuid());


sub post {
    my ($id, $path, $body) = @_;

    my $client = $nginx->client(timeout => 30);
    $client->send($client->build('POST', $path // '/hook',
        { Authorization => 'Bearer sesame', 'webhook-id' => $id,
          'Content-Type' => 'application/json', Connection => 'close' },
        $body // $success));

    return $client;
}


# what health takes, again and again on one connection, for that long; sorted

sub health {
    my ($seconds, $each) = @_;

    my $client = $nginx->client;
    my $until = time + $seconds;
    my @times;

    while (time < $until) {
        $each->() if $each;
        my $begin = time;
        my $response = $client->request('GET', '/codat/health');
        push @times, time - $begin;
        last if !$response || $response->status !~ /^(?:200|503)$/;
        sleep(0.01);
    }

    @times = sort { $a <=> $b } @times;

    return @times;
}


sub fast {
    my @times = @_;

    note(sprintf('health: median %.2f ms, 99 %% %.2f ms, longest %.2f ms',
                 map { 1000 * $times[$_ * $#times] } 0.5, 0.99, 1));
    cmp_ok(scalar @times, '>', 50, 'health is asked for often enough');
    cmp_ok($times[0.5 * $#times], '<', slow(0.005), 'the median is fast');

    # one that waits for the disk takes 200 ms, one that waits for a processor
    # of a busy machine not as long, nor often
    cmp_ok($times[0.97 * $#times], '<', slow(0.1), 'so are nearly all');
}


$faults->start($nginx);
is(post('msg_0')->read_response->status, 202, 'before');

subtest 'a disk that takes 200 ms for a flush' => sub {
    $faults->set('delay 200');

    my ($n, @posts, @begin, @took) = (0);
    my @times = health(4, sub {
        if (@posts < 40 && $n < 80) {
            push @posts, post('msg_slow' . ++$n);
            push @begin, time;
        }
        while (@posts && time - $begin[0] > 0.5) {
            my $response = shift(@posts)->read_response;
            push @took, [time - shift @begin, $response->status];
        }
    });
    push @took, map { [0.2, $_->read_response->status] } @posts;
    fast(@times);

    is(scalar(grep { $_->[1] != 202 } @took), 0,
       "all of $n webhooks are queued");

    my $begin = time;
    is(post('msg_one')->read_response->status, 202, 'a single one');
    cmp_ok(time - $begin, '>', 0.19, 'has waited for the disk');

    my $key = uuid();
    my $client = $nginx->client;
    $client->send($client->build('PUT', "/codat/pushes/$key", {}, '{}'));
    sleep(0.1);
    $client->close;
    my $until = time + slow(5);
    my $status = 0;
    while (time < $until && $status != 200) {
        $status = $nginx->request('GET', "/codat/pushes/$key")->status;
        sleep(0.05);
    }
    is($status, 200, 'what a client that leaves has asked for happens');
    $faults->clear;
};


subtest 'a disk that hangs' => sub {
    sleep(1);
    $faults->set('delay 14000');
    my $client = post('msg_hangs');
    my $conditional = post('msg_if', '/if', $unknown);
    my $begin = time;
    fast(health(9));
    my $response = $client->read_response;
    my $took = time - $begin;
    is($response->status, 503, 'the webhook is refused');
    is($response->header('Retry-After'), 5, 'for the time being');
    cmp_ok($took, '<', slow(11), 'before Codat gives up');
    cmp_ok($took, '>', 9.5, 'but not at once');

    $response = $conditional->read_response;
    $took = time - $begin;
    is($response->status, 503, 'so is one whose condition asks the disk');
    is($response->header('Retry-After'), 5, 'for the time being, too');
    cmp_ok($took, '<', slow(11), 'as early');
    cmp_ok($took, '>', 9.5, 'and as late');
    $faults->clear;

    # the flush that hangs goes on
    $response = post('msg_hangs')->read_response(timeout => 20);
    like($response->status, qr/^20[02]$/, 'the copy is accepted');
    is(post('msg_hangs')->read_response->json->{result}, 'duplicate',
       'once');
    $response = post('msg_if', '/if', $unknown)->read_response;
    is($response->json->{result}, 'accepted',
       'the one with a condition is as if it had never come');

    my @came;
    my $until = time + slow(10);
    while (time < $until) {
        @came = grep { $_->header('webhook-id') eq 'msg_hangs' }
            $app->requests;
        last if @came;
        sleep(0.1);
    }
    is(scalar @came, 1, 'it is delivered once');
};


is($nginx->request('GET', '/codat/health')->status, 200, 'health');
no_bad_log($nginx);
ok($nginx->stop, 'nginx ends');

done_testing;
