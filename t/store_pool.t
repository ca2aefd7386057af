# A thread pool that has no room: webhooks that can't be stored are refused,
# and accepted when they come again.

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

my @zones = 'a' .. 'e';
my $app = CodatTest::Upstream->new(answer => { status => 204 });
my $nginx = CodatTest::Nginx->new(level => 'info', workers => 1, conf => {
    main => 'thread_pool default threads=1 max_queue=1;',
    http => join('', map { "codat_zone zone=$_:1m"
                               . " store=sqlite:{{prefix}}/$_.db;" } @zones)
        . ' codat_credential bearer sesame;',
    server => join('', map { "location = /$_ { codat_webhook zone=$_;"
                                 . ' codat_forward * /app/; }' } @zones)
        . " location /app/ { internal; proxy_pass http://@{[$app->address]}; }"
});


sub post {
    my $zone = shift;

    my $client = $nginx->client(timeout => 20);
    $client->send($client->build('POST', "/$zone",
        { Authorization => 'Bearer sesame', 'webhook-id' => "msg_$zone",
          'Content-Type' => 'application/json', Connection => 'close' },
        body('items.write.successful', push_key => uuid())));

    return $client;
}


$faults->start($nginx, $nginx->prefix);
sleep(1);
$faults->set('delay 1000');

my %status = map { $_->[0] => $_->[1]->read_response }
    map { [$_, post($_)] } @zones;
my @refused = grep { $status{$_}->status == 503 } @zones;

cmp_ok(scalar @refused, '>', 0, 'some find no room');
is(scalar(grep { $status{$_}->status != 503 && $status{$_}->status != 202 }
          @zones), 0, 'and nothing else happens');
is($status{$_}->json->{code}, 'unavailable', "$_: the code") for @refused;
is($status{$_}->header('Retry-After'), 5, "$_: for the time being")
    for @refused;
like($nginx->error_log(all => 1),
     qr/\[crit\] .*codat: store .*the thread pool is full, give/,
     'the log says why');

$faults->clear;

for my $zone (@zones) {
    my $until = time + slow(10);
    my $status = 0;
    while (time < $until && $status !~ /^20/) {
        $status = post($zone)->read_response->status;
        sleep(0.2) if $status !~ /^20/;
    }
    like($status, qr/^20[02]\z/, "$zone: is accepted in the end");
}

my $until = time + slow(15);
my %came;
while (time < $until && keys %came < @zones) {
    %came = map { scalar $_->header('webhook-id') => 1 } $app->requests;
    sleep(0.1);
}
is(join(' ', sort keys %came), join(' ', map { "msg_$_" } @zones),
   'all are delivered');
is(scalar(my @n = $app->requests), scalar @zones, 'each once');

ok($nginx->stop, 'nginx ends');
no_bad_log($nginx, except => qr/thread pool|the store/);

done_testing;
