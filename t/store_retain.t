# What is older than retain= does not come back with a restart, but for what
# is still pending, and the store drops it.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use Test::More;
use Time::HiRes qw(time sleep);

my $nginx = CodatTest::Nginx->new(level => 'info', workers => 2, conf => {
    http => 'codat_zone zone=codat:2m retain=1h dedupe=1h'
        . ' store=sqlite:{{prefix}}/codat.db; codat_credential bearer sesame;'
        . ' proxy_cache_path {{prefix}}/cache keys_zone=cache:1m;',
    server => 'location /codat/ { codat_status zone=codat; }'
        . ' location = /hook { codat_webhook zone=codat; }' })->start;


sub sql { $nginx->sql(@_) }


sub known {
    my $response = $nginx->request('GET', "/codat/pushes/$_[0]");

    return $response->status == 200 ? $response->json->{status}
        : $response->status;
}


my %key = map { $_ => uuid() } qw(old new pending);

is($nginx->request('PUT', "/codat/pushes/$key{pending}", {},
                   '{"reference":"row"}')->status, 201, 'a pending push');
is($nginx->request('POST', '/hook',
                   { Authorization => 'Bearer sesame',
                     'Content-Type' => 'application/json',
                     'webhook-id' => "msg_$_" },
                   body('items.write.successful', push_key => $key{$_}))
   ->status, 200, "a push that is over, $_") for qw(old new);

is(known($key{old}), 'Success', 'it is known');
ok($nginx->stop, 'nginx ends');

is(sql("UPDATE push SET touched = touched - 7200000000"
       . " WHERE id IN ('$key{old}', '$key{pending}');"
       . ' UPDATE event SET received = received - 7200000000'
       . " WHERE webhook_id = 'msg_old'"), '', 'two hours pass');

$nginx->start;

ok($nginx->wait_loaded('/codat/'), 'the zone is filled again');

is(known($key{new}), 'Success', 'what is new is known');
is(known($key{pending}), 'Pending', 'so is what is pending');
is(known($key{old}), 404, 'what is old is not');

my $until = time + slow(10);
my $left = '';
while (time < $until && $left ne '2|1') {
    $left = sql('SELECT (SELECT count(*) FROM push), (SELECT count(*) FROM'
                . ' event)');
    sleep(0.1);
}
is($left, '2|1', 'the store has dropped it too');

ok($nginx->stop, 'nginx ends');
no_bad_log($nginx);

done_testing;
