# A clock that is set back by an hour, and on again: duplicates stay
# duplicates, what is due comes when it was to come, figures go on.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Faults;
use CodatTest::Metrics;
use CodatTest::Upstream;
use Test::More;
use Time::HiRes qw(time sleep);

my $faults = CodatTest::Faults->new;
plan skip_all => 'no LD_PRELOAD here' if !$faults;

my $app = CodatTest::Upstream->new(answer => { status => 204 });
my $nginx = CodatTest::Nginx->new(level => 'info', workers => 2, conf => {
    http => 'codat_zone zone=codat:2m store=sqlite:{{prefix}}/codat.db;'
        . ' codat_credential bearer sesame; codat_retry 3s 3s 3s 3s 3s 3s;',
    server => "location /codat/ { codat_status zone=codat; }"
        . " location /app/ { internal; proxy_pass http://@{[$app->address]}; }"
        . " location = /hook { codat_webhook zone=codat;"
        . " codat_forward * /app/; }" });

my $success = body('items.write.successful', push_key => uuid());


sub hook {
    my $response = $nginx->request('POST', '/hook',
        { Authorization => 'Bearer sesame', 'webhook-id' => $_[0],
          'Content-Type' => 'application/json' }, $success);

    return $response->json->{result} // $response->status;
}


sub came { map { $_->{time} } grep { $_->header('webhook-id') eq $_[0] }
           $app->requests }


sub wait_for {
    my ($id, $n, $seconds) = @_;

    my $until = time + slow($seconds);
    sleep(0.05) while time < $until && came($id) < $n;

    return is(scalar(came($id)), $n, "$id came $n times");
}


$faults->start($nginx);
is(hook('msg_1'), 'queued', 'before');
wait_for('msg_1', 1, 5);
$app->answer(status => 500);
is(hook('msg_late'), 'queued', 'one that the application refuses');
wait_for('msg_late', 1, 5);
$app->answer(status => 204);
sleep(1);


for my $jump (-3600, 0, 3600) {
    my $by = sprintf('%+d s', $jump);

    $jump ? $faults->set("clock $jump") : $faults->clear;
    is(hook('msg_1'), 'duplicate', "$by: a copy");

    my $begin = time;
    is(hook("msg$jump"), 'queued', "$by: a new one");
    wait_for("msg$jump", 1, 5);
    is(hook("msg$jump"), 'duplicate', "$by: a copy of it");
    wait_for('msg_late', 2, 25) if $jump == -3600;
    is(scalar(came('msg_1')), 1, "$by: nothing comes twice");

    my $until = time + slow(15);
    my ($events, $want) = (0, 3 + ($jump + 3600) / 3600);
    while (time < $until && $events != $want) {
        $events = CodatTest::Metrics->new($nginx->request('GET',
            '/codat/metrics')->body)->value('codat_store_events') // 0;
        sleep(0.1);
    }
    is($events, $want, "$by: figures go on");
    is($nginx->request('GET', '/codat/health')->status, 200, "$by: health");
}


$faults->clear;
no_bad_log($nginx);
ok($nginx->stop, 'nginx ends');

done_testing;
