# A flow of Node-RED subscribes itself at nginx and gets events.  "make sdk"
# fetches Node-RED.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Consumers;
use File::Copy qw(copy);
use File::Temp ();
use IO::Socket::INET ();
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(time sleep);

my $top = CodatTest::top();
my $folder = $ENV{CODAT_SDK} || "$top/build/sdk";
my $red = "$folder/node_modules/node-red/red.js";
my $json = JSON::PP->new->utf8->canonical;

if (`node --version 2>&1` !~ /^v(\d+)\./ || $1 < 18) {
    plan(skip_all => 'no node, of version 18 or later');
}

plan(skip_all => "no node-red in $folder, \"make sdk\" fetches it")
    unless -f $red;

my $port = do {
    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)
        or die "port: $@\n";
    $socket->sockport;
};

my $t = CodatTest::Consumers->new(allow => "http://127.0.0.1:$port",
    http => 'codat_retry 1s 1s 1s;', out => 'proxy_pass $codat_consumer_url;');
my $nginx = $t->nginx;

my $dir = File::Temp->newdir('codat-red-XXXXXX', TMPDIR => 1);
copy("$top/t/node-red/flows.json", "$dir/flows.json") or die "flows: $!\n";

delete @ENV{grep { /_proxy$/i } keys %ENV};
my $pid = fork() // die "fork: $!\n";

if (!$pid) {
    open(STDIN, '<', '/dev/null');
    open(STDOUT, '>', "$dir/log");
    open(STDERR, '>&', \*STDOUT);
    $ENV{CODAT_API} = 'http://127.0.0.1:' . $nginx->port . '/hooks';
    $ENV{CODAT_KEY} = $t->{key};
    $ENV{CODAT_TARGET} = "http://127.0.0.1:$port/codat";
    $ENV{CODAT_FILE} = "$dir/events";
    { no warnings; exec('node', $red, '--userDir', "$dir", '--port', $port,
                        '-D', 'uiHost=127.0.0.1', '-D', 'httpAdminRoot=false',
                        '-D', 'flowFile=flows.json'); }
    POSIX::_exit(127);
}

END {
    my $status = $?;
    if ($pid) {
        kill('KILL', $pid);
        waitpid($pid, 0);
    }
    $? = $status;
}


# what the flow has written, once there are so many lines

sub lines {
    my $n = shift;

    my $until = time + slow(30);

    while (1) {
        my @lines;
        if (open(my $fh, '<', "$dir/events")) {
            @lines = map { $json->decode($_) } <$fh>;
        }
        return @lines if @lines >= $n || time > $until;
        sleep(0.1);
    }
}


my ($made) = lines(1);
is($made->{status}, 201, 'the flow subscribes itself') or do {
    open(my $fh, '<', "$dir/log");
    diag(<$fh>);
};

my $list = $t->call(GET => 'webhooks')->{results};
is(scalar @$list, 1, 'a consumer');
is($list->[0]{id}, $made->{made}, 'whose id the flow has');

my $body = body('connection.connected');
is($t->event(body('company.created')), 200, 'an event of another type');
is($t->event($body), 200, 'an event');

my @lines = lines(2);
is(scalar @lines, 2, 'one event has come');
is_deeply($lines[1], $json->decode($body), 'what Codat has sent');

ok($nginx->stop, 'nginx stops');
no_bad_log($nginx);

done_testing();
