# Deliveries from the queue that take their time, that are told when to come
# again, and of forwards that look alike.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Upstream;
use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(time sleep);

my $app = CodatTest::Upstream->new(answer => { status => 204 });
my $nginx = CodatTest::Nginx->new(level => 'info', workers => 2, conf => {
    http => 'codat_zone zone=codat:2m store=sqlite:{{prefix}}/codat.db;'
        . ' codat_credential bearer sesame; codat_retry 3s 1s 1s;',
    server => "
        location /codat/ { codat_status zone=codat; }
        location /app/   { internal; proxy_pass http://@{[$app->address]}; }
        location = /hook { codat_webhook zone=codat; codat_forward * /app/; }
        location = /late { codat_webhook zone=codat; codat_forward_timeout 1s;
                           codat_forward * /app/late; }
        location = /alike { codat_webhook zone=codat;
                            codat_forward * /app/alike if=\$arg_one;
                            codat_forward * /app/alike if=\$arg_two; }
        location = /block { codat_webhook zone=codat;
                            codat_forward * /app/block;
                            if (\$arg_block) { set \$x 1; } }" })->start;


sub hook {
    my ($path, $id) = @_;

    my $response = $nginx->request('POST', $path,
        { Authorization => 'Bearer sesame', 'webhook-id' => $id,
          'Content-Type' => 'application/json' },
        body('items.write.successful', push_key => uuid()));

    return is($response->status . ' ' . $response->json->{result},
              '202 queued', "$id at $path");
}


sub deliveries {
    my $event = $nginx->request('GET', "/codat/events/$_[0]")->json;

    return map { "$_->{state} $_->{attempts}" } @{$event->{deliveries} // []};
}


sub wait_deliveries {
    my ($id, $want, $seconds) = @_;

    my $until = time + slow($seconds);
    my $got;
    while (time < $until) {
        $got = join(', ', deliveries($id));
        last if $got eq $want;
        sleep(0.05);
    }

    return is($got, $want, "$id: $want");
}


# the seconds between its first two requests

sub distance {
    my @times = map { $_->{time} } $app->wait_requests(2, 15);

    return @times == 2 ? $times[1] - $times[0] : -1;
}


subtest 'an answer after the time-out is not cut off, and counts' => sub {
    $app->reset;
    $app->answer(status => 200, delay => 2);
    hook('/late', 'msg_late');
    wait_deliveries('msg_late', 'delivered 2', 6);
    like($nginx->error_log(all => 1),
         qr/\[error\].*attempt 1, not answered within codat_forward_timeout/,
         'the log');
    $app->answer(status => 204);
    sleep(2.5);
    is(scalar(my @n = $app->requests), 1, 'it is not sent again');
};


subtest 'one that fails after the time-out fails once' => sub {
    $app->reset;
    $app->answer(status => 500, delay => 1.5);
    hook('/late', 'msg_fails');
    $app->wait_requests(1);
    sleep(2);
    $app->answer(status => 204);
    wait_deliveries('msg_fails', 'delivered 2', 6);
    is(scalar(my @n = $app->requests), 2, 'two requests');
};


subtest 'Retry-After with a date' => sub {
    $app->reset;
    $app->answer(status => 503, headers => [['Retry-After',
        strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime(time + 6))]]);
    hook('/hook', 'msg_date');
    $app->wait_requests(1);
    wait_deliveries('msg_date', 'pending 1', 3);
    $app->answer(status => 204);
    cmp_ok(distance(), '>', 4.5, 'is heeded');
};


for my $value ('soon', '-1', strftime('%a, %d %b %Y %H:%M:%S GMT',
                                      gmtime(time - 1000)))
{
    subtest "Retry-After: $value" => sub {
        $app->reset;
        $app->answer(status => 503, headers => [['Retry-After', $value]]);
        my $id = 'msg_' . length $value;
        hook('/hook', $id);
        $app->wait_requests(1);
        wait_deliveries($id, 'pending 1', 3);
        $app->answer(status => 204);
        my $distance = distance();
        cmp_ok($distance, '>', 2.6, 'as codat_retry says');
        cmp_ok($distance, '<', slow(5), 'and not later');
    };
}


subtest 'forwards that only if= tells apart' => sub {
    my %want = ('one=1' => 1, 'two=1' => 1, 'two=1&one=1' => 2);
    my $n = 0;

    for my $args (sort keys %want) {
        $app->reset;
        hook("/alike?$args", 'msg_' . ++$n);
        my @got = $app->wait_requests($want{$args});
        is(scalar @got, $want{$args}, "$args: requests");
        sleep(0.2);
        is(scalar(@got = $app->requests), $want{$args}, 'and no more');
    }

    wait_deliveries('msg_3', 'delivered 1, delivered 1', 5);
};


subtest 'an "if" block in the location' => sub {
    for my $args ('', '?block=1') {
        $app->reset;
        hook("/block$args", "msg_block$args");
        $app->wait_requests(1);
        wait_deliveries("msg_block$args", 'delivered 1', 5)
            if $args eq '';
        sleep(0.2);
        is(scalar(my @n = $app->requests), 1, 'delivered once');
    }
};


ok($nginx->stop, 'nginx ends');
no_bad_log($nginx);

done_testing;
