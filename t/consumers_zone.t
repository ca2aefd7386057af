# Consumers of a zone without a store: they live as long as the zone does, in
# a file among nginx's temporary ones that nobody finds afterwards.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Consumers;
use CodatTest::Faults;
use CodatTest::Metrics;
use CodatTest::Upstream;
use File::Temp ();
use Test::More;
use Time::HiRes qw(time sleep);


my $app = CodatTest::Upstream->new(handler => sub {
    return { status => $_[0]{uri} =~ m{/app/refused} ? 500 : 204,
             delay => $_[0]{uri} =~ m{/app/slow} ? slow(1) : 0 };
});
my $base = 'http://' . $app->address;
my $folder;


# what every nginx here is; they can share a folder

sub instance {
    my %opt = @_;

    return CodatTest::Consumers->new(
        store => '', allow => "$base,127.0.0.1",
        out => 'proxy_pass $codat_consumer_url;',
        %opt,
        server => 'location = /sync { codat_webhook zone=codat;'
            . ' codat_forward * /app/fine; }'
            . ' location = /refused { codat_webhook zone=codat;'
            . ' codat_forward * /app/refused; }'
            . ' location = /slow { codat_webhook zone=codat;'
            . ' codat_forward * /app/slow; }'
            . " location /app/ { internal; proxy_pass $base; }"
            . ($opt{folder} ? " client_body_temp_path $opt{folder};" : '')
            . ($opt{server} // ''));
}


# the names of what is in a folder, without those of transactions

sub files {
    my $dir = shift // $folder;

    opendir(my $dh, $dir) or return '';

    return join(' ', sort grep { !/^\.|-journal$/ } readdir($dh));
}


sub stores { join(' ', grep { /^codat-consumers-[0-9a-f]{16}$/ }
                  split(/ /, files(@_))) }

sub all_of { join(' ', map { my $name = $_; map { "$name$_" }
                             '', qw(-lock -shm -used -wal) } sort @_) }

sub ids { join(' ', map { $_->{id} }
               @{$_[0]->call(GET => 'webhooks')->{results}}) }


sub wait_for {
    my ($condition, $what) = @_;

    my $until = time + slow(10);
    sleep(0.05) while !$condition->() && time < $until;

    return ok($condition->(), $what) || diag(delivered());
}


# what is not over by itself comes here: the webhook-id of each request

sub delivered { join(' ', sort map { my %h = map { lc $_->[0] => $_->[1] }
                                         @{$_->{headers}};
                                     $h{'webhook-id'} }
                     grep { $_->{uri} =~ m{^/to} } $app->requests) }


# an attempt that nobody could record is made again: not it alone

sub has {
    my $id = shift;

    return scalar grep { $_ eq $id } split(/ /, delivered());
}


my $number = 0;

sub event {
    my ($t, %headers) = @_;

    my $id = 'msg_' . ++$number;

    is($t->event(body('company.created'), 'webhook-id' => $id, %headers),
       200, "the event $id");

    return $id;
}


sub begin {
    my ($t, $path, $id, $body) = @_;

    my $client = $t->nginx->client;
    $client->send($client->build('POST', $path,
        { Authorization => 'Bearer sesame', 'webhook-id' => $id,
          'Content-Type' => 'application/json' },
        $body // body('company.created'), close => 1));

    return $client;
}


sub answer {
    my $answer = shift->read_response // return 'none';

    return $answer->status . ' '
        . ($answer->json->{result} // $answer->json->{code});
}


sub send_to { answer(begin(@_)) }


my $t = instance();
my $nginx = $t->nginx;
$folder = $nginx->prefix . '/temp/client_body';

my $consumer;
my $store;

subtest 'a consumer is made, and gets what it asks for' => sub {
    $consumer = $t->create(url => "$base/to")->{id};
    is($t->{status}, 201, 'made');
    is(ids($t), $consumer, 'listed');

    my $id = event($t);
    wait_for(sub { has($id) }, 'delivered');

    $store = stores();
    like($store, qr/^\S+$/, 'one file, in the folder of temporary ones');
    is(files(), all_of($store), 'and those that belong to it');
    is((stat("$folder/$store"))[2] & 07777, 0600, 'nobody else may read it');
    ok(!-e $nginx->prefix . '/codat.db', 'there is no other');

    is(qx(sqlite3 $folder/$store 'SELECT count(*) FROM event'), "1\n",
       'it can be looked at');
};


subtest 'webhooks are answered as without a store' => sub {
    $app->reset;

    is(send_to($t, '/sync', 'msg_sync'), '200 accepted', 'a forward');
    is(scalar(grep { $_->{uri} eq '/app/fine' } $app->requests), 1,
       'which is made while Codat waits');
    wait_for(sub { has('msg_sync') }, 'the consumer has it too');
    is(send_to($t, '/sync', 'msg_sync'), '200 duplicate', 'once more');

    is(send_to($t, '/refused', 'msg_refused'), '502 forward_failed',
       'a forward that fails');
    is(send_to($t, '/refused', 'msg_refused'), '502 forward_failed',
       'and again');
    sleep(0.5);
    is(delivered(), 'msg_sync', 'which is not for consumers');
};


subtest 'it claims to be no more than it is' => sub {
    my $overview = $nginx->request('GET', '/codat/')->json->{store};
    is($overview->{temporary}, JSON::PP::true(), 'in the overview');
    is($overview->{failing}, JSON::PP::false(), 'which tells of failures');

    unlike($nginx->error_log, qr/has what store/, 'nothing was loaded');

    my ($ok, $text) = CodatTest::Nginx->new(conf => {
        http => 'codat_zone zone=codat:1m; codat_credential none;',
        server => 'location /hook { codat_webhook zone=codat delivery=queued;'
            . ' } location /hooks/ { codat_consumers zone=codat deliver=@out;'
            . ' } location @out { proxy_pass http://127.0.0.1:1; }',
    })->check;
    ok(!$ok, 'delivery=queued is refused');
    like($text, qr/"codat_webhook" has delivery=queued, which needs a store, /,
         'for want of a store');
};


subtest 'a reload keeps it' => sub {
    $app->reset;
    ok($nginx->reload, 'reloaded');
    is(ids($t), $consumer, 'the consumer is there, and the key');

    my $id = event($t);
    wait_for(sub { has($id) }, 'delivered');
    is(stores(), $store, 'the same file');
};


subtest 'so does a worker that is killed, whatever it was about' => sub {
    $app->reset;

    $nginx->kill_worker('KILL', 0);
    $nginx->kill_worker('KILL', 1);
    is(ids($t), $consumer, 'the consumer is there');

    my $id = event($t);
    wait_for(sub { has($id) }, 'delivered');
    is(stores(), $store, 'the same file');
};


subtest 'what can\'t be written is not acknowledged' => sub {
    rename($folder, "$folder.away") or die "$!\n";
    $app->reset;

    is(send_to($t, '/hook', 'msg_away'), '503 unavailable', 'refused');
    is(send_to($t, '/sync', 'msg_sync_away'), '503 unavailable',
       'and not forwarded');
    is($nginx->request('GET', '/codat/health')->status, 503, 'health says so');
    ok($nginx->wait_log(qr/\[crit\] .* store\ "\Q$folder\E\/codat-consumers-
                           \S+"\ of\ zone\ "codat"\ failed:/x),
       'and the log, with the folder');

    rename("$folder.away", $folder) or die "$!\n";

    is(send_to($t, '/hook', 'msg_away'), '200 accepted',
       'the repeat, when it is back');
    wait_for(sub { has('msg_away') }, 'the consumer has it');
};


subtest 'a folder that is emptied begins anew, and the zone goes on' => sub {
    my $key = uuid();
    my $status = sub { $nginx->request('GET', "/codat/pushes/$key")->json
                           ->{status} };

    is(send_to($t, '/hook', 'msg_push1',
               body('bills.write.unsuccessful', push_key => $key,
                    status => 'TimedOut')), '200 accepted', 'a push');
    is($status->(), 'TimedOut', 'its status');

    unlink(map { "$folder/$_" } split(/ /, files()));

    is(send_to($t, '/hook', 'msg_push2',
               body('bills.write.successful', push_key => $key)),
       '200 accepted', 'its end');
    is($status->(), 'Success', 'its new status');
    is($t->call(GET => 'webhooks')->{error} ? 'no key' : 'key', 'no key',
       'the API has no key any more');

    $t->rotate;
    is(ids($t), '', 'and no consumers');

    $consumer = $t->create(url => "$base/to")->{id};
    is(ids($t), $consumer, 'until there are new ones');

    # the mark that it is in use has gone too
    ok($nginx->reload, 'reloaded');
    wait_for(sub { files() eq all_of($store) }, 'all its files are back');
    is(ids($t), $consumer, 'and the consumer is there');
};


subtest 'a configuration whose store can\'t be made ready is refused' => sub {
    unlink("$folder/$store-used");
    mkdir("$folder/$store-used");
    $nginx->mark;

    ok(!$nginx->reload, 'refused');
    like($nginx->error_log, qr/\[emerg\]\ .*store\ "\Q$folder\/$store\E"\ of
         \ zone\ "codat"\ can't\ be\ made\ ready:\ "\Q$folder\/$store\E-used"
         \ can't\ be\ opened\ \(21:/x, 'says why');
    is(ids($t), $consumer, 'the old one goes on');

    rmdir("$folder/$store-used");
    ok($nginx->reload, 'then it is taken');
    $nginx->mark;
};


subtest 'with a store, the zone begins anew with what the store knows' => sub {
    my $key = uuid();
    my $path = $nginx->prefix . '/codat.db';
    my %conf = %{$nginx->{conf}};

    is(send_to($t, '/hook', 'msg_push3',
               body('bills.write.unsuccessful', push_key => $key,
                    status => 'TimedOut')), '200 accepted', 'a push');

    ok($nginx->reload(http => $conf{http} =~ s/codat:2m /$&store=sqlite:$path/r
       =~ s/(store=\S+?);/$1 ;/r), 'a store');
    $t->rotate;
    is(ids($t), '', 'which knows of no consumers');

    for my $again (1, 2) {
        is(send_to($t, '/hook', "msg_push4$again",
                   body('bills.write.successful', push_key => $key)),
           '200 accepted', 'an event of the push');
        is($nginx->request('GET', "/codat/pushes/$key")->json->{status},
           'Success', 'its status');
        ok($nginx->reload, 'another reload');
    }

    ok($nginx->reload(http => $conf{http}), 'and without a store again');
    $t->rotate;
    $consumer = $t->create(url => "$base/to")->{id};
    is(ids($t), $consumer, 'where consumers live in the zone');
    is($nginx->request('GET', "/codat/pushes/$key")->json->{status},
       'Success', 'which still knows the push');
};


subtest 'it ends with nginx' => sub {
    my $before = stores();

    $nginx->reload;
    ok($nginx->stop, 'stopped');
    is(files() =~ /\Q$before\E/ ? 'left' : 'gone', 'gone', 'its files go');

    $nginx->start;
    is($t->call(GET => 'webhooks')->{statusCode}, 401, 'there is no key');
    $t->rotate;
    is(ids($t), '', 'and there are no consumers');
    is(stores() eq $before ? 'same' : 'other', 'other', 'it is another file');
};


subtest 'each zone has its own' => sub {
    my $two = instance(
        http => 'codat_zone zone=two:1m;',
        server => 'location /two/ { codat_consumers zone=two deliver=@two;'
            . ' } location @two { proxy_pass $codat_consumer_url; }');

    my $made = $two->create(url => "$base/to")->{id};
    my $answer = $two->nginx->request('POST',
        '/two/webhooks/integrationKeys/zapier', {}, '');
    my $list = $two->nginx->request('GET', '/two/webhooks',
        { Authorization => 'Bearer ' . $answer->json->{key} })->json;

    is(ids($two), $made, 'the one has it');
    is_deeply($list->{results}, [], 'the other one not');
    is(scalar(split(/ /, stores($two->nginx->prefix . '/temp/client_body'))),
       2, 'two files');
    ok($two->nginx->stop, 'stopped');
    no_bad_log($two->nginx);
};


subtest 'several nginx share a folder, and remove what dead ones left' => sub {
    my $dir = File::Temp->newdir('codat-shared-XXXXXX', TMPDIR => 1);
    my $shared = $dir->dirname . '/body';
    mkdir($shared);

    open(my $fh, '>', "$shared/0000000001") or die "$!\n";
    open($fh, '>', "$shared/codat-consumers-of-mine-used") or die "$!\n";
    my $others = files($shared);

    my $one = instance(folder => $shared);
    my $two = instance(folder => $shared);
    my $made = $one->create(url => "$base/to")->{id};
    my $first = stores($shared);
    ids($two);
    $first =~ s/ .*//;

    my @two = split(/ /, stores($shared));
    is(scalar @two, 2, 'each has a file');

    my ($of_two) = grep { -s "$shared/$_" && qx(sqlite3 $shared/$_ 'SELECT
        count(*) FROM consumer') == 0 } @two;
    my ($of_one) = grep { $_ ne $of_two } @two;

    kill('KILL', $two->nginx->{pid}, $two->nginx->pids(all => 1));
    $two->nginx->stop('KILL');
    is(stores($shared), join(' ', sort @two), 'one dies, and leaves it');

    my $three = instance(folder => $shared);
    is(stores($shared) =~ /\Q$of_two\E/ ? 'left' : 'gone', 'gone',
       'the next one that starts removes it');
    is(ids($one), $made, 'not that of the one that lives');

    ok($three->nginx->stop, 'it stops');
    is(stores($shared), $of_one, 'with its own');

    ok($one->nginx->stop, 'so does the other one');
    is(files($shared), $others, 'and files of others stay');
    no_bad_log($one->nginx);
};


subtest 'a disk that is full' => sub {
    my $faults = CodatTest::Faults->new or plan skip_all => 'no LD_PRELOAD';

    my $full = bless { nginx => CodatTest::Nginx->new(level => 'info',
        conf => $nginx->{conf}) }, 'CodatTest::Consumers';
    $faults->start($full->nginx, $full->nginx->prefix
                   . '/temp/client_body/codat-consumers');
    $full->rotate;
    $full->create(url => "$base/to/full");
    $app->reset;

    $faults->set('write ENOSPC');
    is(send_to($full, '/hook', 'msg_full'), '503 unavailable', 'refused');
    is(send_to($full, '/sync', 'msg_full2'), '503 unavailable',
       'and not forwarded');
    $faults->clear;

    is(send_to($full, '/hook', 'msg_full'), '200 accepted', 'the repeat');
    wait_for(sub { has('msg_full') }, 'delivered');

    # Codat has had its answer: this one is not repeated

    my $dir = $full->nginx->prefix . '/temp/client_body';
    my $path = "$dir/" . stores($dir);
    wait_for(sub { qx(sqlite3 $path "SELECT count(*) FROM consumer_delivery
                      WHERE state = 'pending'") eq "0\n" }, 'and recorded');

    $app->reset;
    my $client = begin($full, '/slow', 'msg_slow');
    $app->wait_requests(1);
    $faults->set('write ENOSPC');
    is(answer($client), '200 accepted', 'full while a forward is under way');
    sleep(0.5);
    is(delivered(), '', 'nothing can be delivered');
    $faults->clear;
    wait_for(sub { has('msg_slow') }, 'it is when there is room');
    no_bad_log($full->nginx, except => qr/\[crit\] .* failed: .*full/);
};


no_bad_log($nginx, except => qr/\[crit\] .* store .* failed:/);
done_testing();
