# Reloads while events are on their way to consumers: workers that end leave
# nothing behind that others would wait for.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Consumers;
use CodatTest::Upstream;
use Test::More;
use Time::HiRes qw(time sleep);


my $app = CodatTest::Upstream->new(answer => { status => 204 });
my $base = 'http://' . $app->address;
my $t = CodatTest::Consumers->new(allow => "$base,127.0.0.1",
                                  out => 'proxy_pass $codat_consumer_url;');


sub delivered {
    my %seen;

    for my $request ($app->requests) {
        my %headers = map { lc $_->[0] => $_->[1] } @{$request->{headers}};
        $seen{$headers{'webhook-id'}}++;
    }

    return \%seen;
}


$t->create(url => "$base/to");

# A worker had a claim in its queue when it ended, which was done then: until
# its lease was over, after 25 seconds, nobody else had the delivery.

my $sent = 0;
my ($late, $refused) = (0, 0);

for my $round (1 .. 15) {

    for my $n (1 .. 6) {
        $t->event(body('company.created'), 'webhook-id' => 'msg_' . ++$sent)
            == 200 or $refused++;
        $t->nginx->reload if $n == 3;
    }

    my $until = time + slow(10);
    sleep(0.02) while time < $until && keys(%{delivered()}) < $sent;
    $late += $sent - keys(%{delivered()});
    last if $late;
}

is($refused, 0, 'all events are accepted');
is($late, 0, 'and delivered soon');

ok($t->nginx->stop, 'nginx ends');
no_bad_log($t->nginx);
done_testing();
