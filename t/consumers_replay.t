# A replay to a consumer looks at any number of events, a part at a time.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Consumers;
use CodatTest::Upstream;
use Test::More;
use Time::HiRes qw(time sleep);

use constant EVENTS => 2500;

my $app = CodatTest::Upstream->new(answer => { status => 204 });
my $base = 'http://' . $app->address;

my $t = CodatTest::Consumers->new(allow => "$base,127.0.0.1",
                                  api => 'codat_retry 1s;',
                                  out => 'proxy_pass $codat_consumer_url;');
my $nginx = $t->nginx;


sub sql { $nginx->sql(@_) }


# of its deliveries there are so many, in the end

sub wait_count {
    my ($uid, $state, $want) = @_;

    my $until = time + slow(30);
    my $got;
    while (time < $until) {
        $got = sql('SELECT count(*) FROM consumer_delivery d'
                   . ' JOIN consumer c ON c.id = d.consumer'
                   . " WHERE c.uid = '$uid' AND d.state = '$state'");
        last if $got eq $want;
        sleep(0.1);
    }

    return is($got, $want, "$want are $state");
}


# as if they had come in while there were no consumers; each fifth of a type
# that is not asked for

is($t->event(body('company.created'), 'webhook-id' => 'msg_first'), 200,
   'an event');
is(sql('WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n'
       . ' WHERE i < ' . EVENTS . ') INSERT INTO event (webhook_id, type,'
       . ' endpoint, received, state, attempts, succeeded, routes, stale,'
       . ' body_digest, body) SELECT \'msg_\' || i,'
       . " CASE i % 5 WHEN 0 THEN 'other.type' ELSE 'company.created' END,"
       . " endpoint, received, 'accepted', 1, 0, 0, 0, body_digest, body"
       . ' FROM n, event WHERE event.id = 1'), '', EVENTS . ' more');

# nobody wanted the first one: else it would come without a replay
my $until = time + slow(10);
sleep(0.05)
    while sql('SELECT count(*) FROM event WHERE fanout = 1') && time < $until;

my $made = $t->create(url => "$base/x", eventTypes => ['company.*']);
is($t->{status}, 201, 'a consumer');

my $want = EVENTS * 4 / 5 + 1;
my $said = $t->call(POST => "webhooks/$made->{id}/replay",
                    { since => '2026-01-01T00:00:00Z' });
like($t->{status}, qr/^20[02]\z/, 'a replay');
is($said->{count}, $want, 'what it missed');
wait_count($made->{id}, 'delivered', $want);

my %ids;
for my $request ($app->requests) {
    my %headers = map { lc $_->[0] => $_->[1] } @{$request->{headers}};
    $ids{$headers{'webhook-id'}}++;
}
is(scalar(keys %ids), $want, 'each of them');
is(scalar(grep { $_ > 1 } values %ids), 0, 'once');

$said = $t->call(POST => "webhooks/$made->{id}/replay",
                 { since => '2026-01-01T00:00:00Z' });
is($said->{count}, 0, 'there is nothing left to bring');

ok($nginx->stop, 'nginx ends');
no_bad_log($nginx);

done_testing;
