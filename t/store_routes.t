# Deliveries of a codat_forward that was removed: they wait for a minute for
# it to come back, unless another nginx on the same database has it, are dead
# then, and are delivered when they are replayed with the forward in place.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Consumers;
use CodatTest::Metrics;
use CodatTest::Upstream;
use Test::More;
use Time::HiRes qw(time sleep);


my $app = CodatTest::Upstream->new(answer => { status => 503 });
my $http = 'codat_credential bearer sesame; codat_retry 2s 2s 2s 2s 2s 2s'
    . ' 2s 2s 2s 2s 2s 2s 2s 2s 2s 2s 2s 2s 2s 2s 2s 2s 2s 2s 2s 2s 2s 2s'
    . ' 2s 2s 2s 2s 2s 2s 2s 2s 2s 2s 2s 2s 2s 2s 2s 2s 2s 2s 2s 2s 2s 2s;';
my $zone = 'codat_zone zone=codat:2m store=sqlite:';
my $app_location = "location /app/ { internal;"
    . " proxy_pass http://@{[$app->address]}; }"
    . " location /codat/ { codat_status zone=codat; }";


# the locations of these names, each with a forward to the same below /app/

sub server {
    my $text = $app_location;

    for my $name (@_) {
        $text .= " location = /$name { codat_webhook zone=codat;"
            . " codat_forward * /app/$name order=company; }";
    }

    return $text;
}


my $one = CodatTest::Nginx->new(level => 'info', workers => 2, conf => {
    http => "$zone\{{prefix}}/codat.db; $http",
    server => server(qw(stays goes)) })->start;
my $path = $one->prefix . '/codat.db';
my $two = CodatTest::Nginx->new(level => 'info', conf => {
    http => "$zone$path; $http", server => server('other') })->start;


sub hook {
    my ($nginx, $name, $id) = @_;

    my $response = $nginx->request('POST', "/$name",
        { Authorization => 'Bearer sesame', 'webhook-id' => $id,
          'Content-Type' => 'application/json' },
        body('items.write.successful', push_key => uuid(),
             company => '11111111-2222-4333-8444-555555555555'));

    return is($response->status, 202, "$id is queued");
}


sub event { $one->request('GET', "/codat/events/$_[0]")->json }
sub delivery { event($_[0])->{deliveries}[0] }


sub wait_state {
    my ($id, $want, $seconds) = @_;

    my $until = time + slow($seconds);
    sleep(0.2) while time < $until && delivery($id)->{state} ne $want;

    return is(delivery($id)->{state}, $want, "$id is $want");
}


# the same of consumers: one that fails

my $out = CodatTest::Consumers->new(
    allow => "http://@{[$app->address]},127.0.0.1", api => 'codat_retry 1h;',
    out => 'proxy_pass $codat_consumer_url;');
my $three = $out->nginx;

sub of_consumers {
    my $sql = shift;

    my $path = $three->prefix . '/codat.db';
    my $value = qx(sqlite3 $path '.timeout 5000' "$sql" 2>&1);
    chomp $value;

    return $value;
}

my $states = 'SELECT state FROM consumer_delivery';

$out->create(url => "http://@{[$app->address]}/consumer");
is($out->event(body('company.created'), 'webhook-id' => 'msg_out'), 200,
   'an event for a consumer');
$app->wait_requests(1);
$app->reset;

hook($one, 'goes', 'msg_goes1');
hook($one, 'goes', 'msg_goes2');
hook($one, 'stays', 'msg_stays');
hook($two, 'other', 'msg_other');
$app->wait_requests(3);
is(delivery('msg_goes2')->{state}, 'blocked', 'one is behind another one');

my $begin = time;
ok($one->reload(server => server('stays')), 'the forward is removed');

ok($three->reload(server => 'location = /hook { codat_webhook zone=codat; }'),
   'and codat_consumers');

sleep(30);
is(delivery('msg_goes1')->{state}, 'pending', 'half a minute later');
is(of_consumers($states), 'pending', 'that to the consumer as well');

wait_state('msg_goes1', 'dead', 90);
cmp_ok(time - $begin, '>', 45, 'not at once');
cmp_ok(time - $begin, '<', slow(90), 'nor never');
is(delivery('msg_goes2')->{state}, 'dead', 'the one behind it as well');
is(delivery('msg_goes2')->{lastError},
   'no such codat_forward in the configuration', 'which says why');
ok(delivery('msg_goes2')->{finishedOn}, 'and when');
is(delivery('msg_stays')->{state}, 'pending', 'others go on');
is(delivery('msg_other')->{state}, 'pending',
   'those of another nginx as well');

ok($three->wait_log(qr{\[warn\]\ .*\ 1\ events\ and\ deliveries\ of\ store
                       \ "\S+/codat\.db"\ do\ not\ go\ to\ consumers:\ no
                       \ codat_consumers\ in\ the\ configuration}x, 60),
   'what is for consumers is given up too');
is(of_consumers($states), 'dead', 'it is dead');

my @lines = grep { /given up/ } split /\n/, $one->error_log(all => 1)
    . $two->error_log(all => 1);
is(scalar @lines, 1, 'one line in the log');
like($lines[0] // '', qr{\[warn\]\ .*\ 2\ deliveries\ of\ store\ "\Q$path\E"
     \ are\ given\ up:\ no\ such\ codat_forward\ in\ the\ configuration,
     \ "localhost\ /goes\ \*\ /app/goes\ cloudevents"}x, 'which tells of both');

my $list = $one->request('GET', '/codat/events?state=dead')->json;
is(join(' ', sort map { $_->{webhookid} } @{$list->{results}}),
   'msg_goes1 msg_goes2', 'they are listed');

my $until = time + slow(15);
my $dead = 0;
while (time < $until && $dead != 2) {
    $dead = CodatTest::Metrics->new($one->request('GET', '/codat/metrics')
        ->body)->value('codat_store_deliveries', state => 'dead') // 0;
    sleep(0.2);
}
is($dead, 2, 'and counted');


$app->answer(status => 204);
ok($one->reload(server => server(qw(stays goes))), 'the forward is back');
$app->reset;
is($one->request('POST', '/codat/events/replay?state=dead')->json->{replayed},
   2, 'they are replayed');
wait_state($_, 'delivered', 20)
    for qw(msg_goes1 msg_goes2 msg_stays msg_other);
is(scalar(grep { $_->{uri} eq '/app/goes' } $app->requests), 2,
   'each was delivered once');


no_bad_log($one);
no_bad_log($two);
ok($_->stop, 'ends') for $one, $two;

done_testing;
