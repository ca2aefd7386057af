# When an event of each type came last is known after a start as well, so that
# an alert on silence goes on.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use Test::More;
use Time::HiRes qw(time sleep);

my $nginx = CodatTest::Nginx->new(workers => 2, conf => {
    http => 'codat_zone zone=codat:2m store=sqlite:{{prefix}}/codat.db;'
        . ' codat_credential bearer sesame;',
    server => '
        location /codat/ { codat_status zone=codat; }
        location = /hook { codat_webhook zone=codat; }' })->start;


sub hook {
    my ($id, $type) = @_;

    is($nginx->request('POST', '/hook',
        { Authorization => 'Bearer sesame', 'webhook-id' => $id,
          'Content-Type' => 'application/json' }, body($type))->status,
       200, "$type is taken");
}


# by type, once all of these are there

sub last_events {
    my @types = @_;

    my %last;
    my $until = time + 20;
    while (time < $until) {
        my $text = $nginx->request('GET', '/codat/metrics')->body;
        %last = $text =~ /^codat_last_event_timestamp_seconds\{
                           zone="codat",type="([^"]+)"\}\ (\d+)$/gmx;
        last unless grep { !$last{$_} } @types;
        sleep(0.1);
    }

    return \%last;
}


my $begin = int(time);
hook('msg_1', 'read.completed');
hook('msg_2', 'company.created');

my $before = last_events('read.completed', 'company.created');
is(join(' ', sort keys %$before), 'company.created read.completed',
   'types that came are there');

$nginx->stop;
sleep(2);
$nginx->start;

my $after = last_events('read.completed', 'company.created');
is_deeply($after, $before, 'after a start they are there again, as of then');

sleep(1.1);
hook('msg_3', 'company.created');

my $then = last_events('read.completed', 'company.created');
is($then->{'read.completed'}, $before->{'read.completed'},
   'what has not come since is as of then');
cmp_ok($then->{'company.created'}, '>=', $begin + 3,
       'what has come is as of now');

unlike($nginx->error_log(all => 1), qr/\[(?:error|crit|alert|emerg)\]/,
       'and nothing is wrong');

done_testing();
