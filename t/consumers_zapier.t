# A trigger app of Zapier, run by Zapier's own zapier-platform-core, works with
# the consumer API: it is tested, lists samples, subscribes, gets events, and
# unsubscribes.  "make sdk" fetches the package.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Consumers;
use CodatTest::Upstream;
use IPC::Open2 ();
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time sleep);

my $top = CodatTest::top();
my $folder = $ENV{CODAT_SDK} || "$top/build/sdk";
my $json = JSON::PP->new->utf8->canonical;

if (`node --version 2>&1` !~ /^v(\d+)\./ || $1 < 18) {
    plan(skip_all => 'no node, of version 18 or later: "make sdk"');
}

plan(skip_all => "no zapier-platform-core in $folder: \"make sdk\"")
    unless -d "$folder/node_modules/zapier-platform-core";

# what hooks.zapier.com is to the app

my $hooks = CodatTest::Upstream->new(answer => { status => 200 });
my $target = 'http://' . $hooks->address . '/hooks/standard/1/abc/';

my $t = CodatTest::Consumers->new(allow => 'http://' . $hooks->address,
    http => 'codat_retry 1s 1s 1s;', out => 'proxy_pass $codat_consumer_url;');
my $nginx = $t->nginx;

delete @ENV{grep { /_proxy$/i } keys %ENV};
$ENV{NODE_PATH} = "$folder/node_modules";
my $pid = IPC::Open2::open2(my $from, my $to, 'node', "$top/t/zapier/run.js");
$to->autoflush(1);


# part($name, %bundle): what that part of the app gives; what it throws is in
# $error

my $error;

sub part {
    my ($part, %bundle) = @_;

    $bundle{authData} //= { url => 'http://127.0.0.1:' . $nginx->port
                                   . '/hooks', key => $t->{key} };

    print $to $json->encode({ part => $part, bundle => \%bundle }), "\n";

    local $SIG{ALRM} = sub { die "no answer of node\n" };
    alarm(120);
    my $line = '';
    $line = readline($from) // die "node has ended\n" until $line =~ s/^= //;
    alarm(0);

    my $said = $json->decode($line);
    $error = $said->{error};

    return $said->{result};
}


subtest 'the connection of an account' => sub {
    is_deeply(part('test'), { results => [] }, 'a good key');

    my %auth = (url => 'http://127.0.0.1:' . $nginx->port . '/hooks',
                key => $t->{key});
    is_deeply(part('test', authData => { %auth, clientId => 'client-1' }),
              { results => [] }, 'with a client id');
    part('test', authData => { %auth, key => "$t->{key}x" });
    like($error, qr/^\{"status":401,/, 'a wrong key');
};

subtest 'a trigger is tested' => sub {
    my %input = (inputData => { eventType => 'connection.disconnected' });

    my $before = part('performList', %input);
    is($error, undef, 'no event yet') or return;
    is(scalar @$before, 1, 'one');
    is($before->[0]{eventType}, 'connection.disconnected', 'an example');
    is($before->[0]{sample}, JSON::PP::true, 'which says so');
    is(part('performList', %input)->[0]{id}, $before->[0]{id},
       'with an id that stays');

    my @bodies = map { body('connection.disconnected') } 1, 2;
    is($t->event($_), 200, 'an event') for @bodies;

    my $after = part('performList', %input);
    is_deeply([map { $_->{id} } @$after],
              [map { $json->decode($_)->{id} } reverse @bodies],
              'two events, the newest first');
    is($after->[0]{sample}, undef, 'no examples');

    my $all = part('performList', inputData => { eventType => '' });
    is($error, undef, 'of all types, ids are unique');
    cmp_ok(scalar @$all, '>', 20, 'at least one each');
};

subtest 'a workflow is published, and runs' => sub {
    my %input = (inputData => { eventType => 'invoices.write.successful' },
                 targetUrl => $target);

    my $made = part('performSubscribe', %input);
    like($made->{id} // '', qr/^[0-9a-f-]{36}$/, 'it subscribes')
        or diag($error);
    is(scalar @{$t->call(GET => 'webhooks')->{results}}, 1, 'a consumer');

    my $body = body('invoices.write.successful');
    is($t->event(body('bills.write.successful')), 200, 'another event');
    is($t->event($body), 200, 'an event');

    my ($got) = $hooks->wait_requests(1, 15);
    is($got->{body}, $body, 'what Codat sent is what Zapier gets');
    is($got->header('content-type'), 'application/json', 'as JSON');
    is($got->header('webhook-signature'),
       sign($made->{secret}, $got->header('webhook-id') // '',
            $got->header('webhook-timestamp') // '', $body), 'signed');

    my $items = part('perform', %input, cleanedRequest => $got->json);
    is_deeply([map { $_->{id} } @$items], [$json->decode($body)->{id}],
              'the workflow has it');

    part('performUnsubscribe', subscribeData => $made);
    is($error, undef, 'it unsubscribes');
    is_deeply($t->call(GET => 'webhooks'), { results => [] }, 'no consumer');

    is($t->event(body('invoices.write.successful')), 200, 'an event');
    sleep(slow(1.5));
    is(scalar(my @all = $hooks->requests), 1, 'that nobody gets');
};

subtest 'a workflow that is gone' => sub {
    $hooks->reset;
    $hooks->answer(status => 410);

    part('performSubscribe', targetUrl => $target,
         inputData => { eventType => '*' });
    is($error, undef, 'it subscribes');
    is($t->event(body('company.created')), 200, 'an event');

    my $until = time + slow(15);
    my $left = 1;
    while ($left && time < $until) {
        $left = @{$t->call(GET => 'webhooks')->{results}};
        sleep(0.05);
    }

    is($left, 0, '410 removes the consumer');
};

subtest 'what is refused' => sub {
    part('performSubscribe', targetUrl => 'https://10.0.0.1/',
         inputData => { eventType => '*' });
    like($error, qr/^\{"status":400,.*has an address/s, 'a URL that is not allowed');

    my %old = (url => 'http://127.0.0.1:' . $nginx->port . '/hooks',
               key => $t->{key});
    $t->rotate;
    part('test', authData => \%old);
    like($error, qr/^\{"status":401,/, 'a key that was rotated');
    is_deeply(part('test'), { results => [] }, 'the new one is good');
};

close($to);
waitpid($pid, 0);

ok($nginx->stop, 'nginx stops');
no_bad_log($nginx);

done_testing();
