#!/usr/bin/perl

# Tests of tools/demo ("make demo"): what it shows is right, it says what is
# wrong, and leaves nothing behind.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(time sleep);

use lib dirname(__FILE__) . '/lib';
use CodatTest::Port qw(free_port);

my $top = abs_path(dirname(__FILE__) . '/..');
my $demo = "$top/tools/demo";

$ENV{NGINX_BINARY} = $ENV{TEST_NGINX_BINARY} || $ENV{NGINX_BINARY} || 'nginx';
$ENV{MODULE} = $ENV{TEST_NGINX_LOAD_MODULES} // '';
$ENV{TMPDIR} = tempdir(CLEANUP => 1);
delete @ENV{qw(DEMO_ONCE DEMO_PORT)};


# --- once ------------------------------------------------------------------

my $port = free_port();
my ($status, $said) = run(DEMO_ONCE => 1, DEMO_PORT => $port);

is($status, 0, 'once: all as expected') or diag($said);
like($said, qr/^nginx is on 127\.0\.0\.1:$port,/m, 'says where');

like($said, qr/^bankFeeds\.sourceAccount\.connected\n
     \ +Codat\ sees\ +200\ \{"id":"[\w-]+","type":"bankFeeds\.sourceAccount\.connected","result":"accepted"\}\n
     \ +application\ got\ +\/other\ io\.codat\.bankFeeds\.sourceAccount\.connected\ companyId=/mx,
     'a signed event');
like($said, qr/^DataConnectionStatusChanged\ \(Linked\ to\ Deauthorized\)\n
     \ +Codat\ sees\ +200\ \{"id":"[\w-]+","type":"connection\.disconnected","result":"accepted"\}\n
     \ +application\ got\ +\/connections\ io\.codat\.connection\.disconnected\ .*\ connectionStatus=Deauthorized$/mx,
     'an older one');
like($said, qr/^the\ same\ message\ again\n\ +Codat\ sees\ +200\ .*"duplicate"\}\n\ +application\ got\ +nothing$/mx,
     'a repeated one');
like($said, qr/^changed\ after\ it\ was\ signed\n\ +Codat\ sees\ +401\ .*\n\ +application\ got\ +nothing$/mx,
     'a tampered one');

like($said, qr/^\ +nginx\ answers\ +201\ \{"pushOperationKey":"[0-9a-f]{8}\.\.\.","status":"Pending",.*\n
     somebody\ waits\ .*\n
     its\ webhook\ comes.*\n
     \ +Codat\ sees\ +200\ .*\n
     \ +application\ got\ +\/pushes\ .*\ reference=expense-17\n
     \ +the\ waiter\ got\ +200\ \{"pushOperationKey":.*"status":"Success","final":true,.*"reference":"expense-17",/mx,
     'a push that somebody waits for');
like($said, qr/^\ +nginx\ answers\ +200\ \{"id":.*"status":"Unlinked","previousStatus":"Linked",/mx, 'a connection');

like($said, qr/^the\ application\ makes\ a\ push,.*\n
     \ +POST\ \/codat-api\/.*\n\ +X-Codat-Reference:\ expense-18\n
     \ +nginx\ answers\ +200\ \{.*"pushOperationKey":"([0-9a-f]{8})\.\.\.".*"status":"Pending",.*\n
     \ +GET\ \/codat\/pushes\/\1.*\n\ +nginx\ answers\ +200\ \{.*"reference":"expense-18",.*\n
     its\ webhook\ comes\n
     \ +application\ got\ +\/pushes\ .*\ pushStatus=Success\ recordId=rec-1\ reference=expense-18\n
     \ +GET\ .*\n\ +nginx\ answers\ +200\ \{.*"status":"Success",.*"reference":"expense-18",.*\n
     .*\n\ +GET\ .*\n\ +nginx\ answers\ +200\ \(table\)\ \{.*"status":"Success",/mx,
     'a push through nginx, from Pending to Success');
like($said, qr/^\ +Prefer:\ wait=20\n
     \ +nginx\ answers\ +200\ \{.*"status":"Success",.*"recordId":"(rec-\d)"\}\n
     \ +application\ got\ .*\n
     and\ a\ direct\ cost.*\n
     .*"accountRef":\{"id":"\1"\}.*\n(?:\ {8}\S+:\ .*\n)+
     \ +nginx\ answers\ +200\ \{.*"status":"Success",/mx,
     'a push that needs what another one has made');
like($said, qr/^\ +X-Codat-After:\ [0-9a-f]{8}\.\.\.\n
     \ +nginx\ answers\ +424\ .*"code":"dependency_failed"\}\n
     \ +application\ got\ +\/pushes\ .*\.invoices\.write\.unsuccessful\ /mx,
     'and one that needs what has failed');

my ($n) = $said =~ /^(\d+) events accepted, each reached the application once/m;
cmp_ok($n // 0, '>', 40, 'counted');
unlike($said, qr/WRONG|whsec_|Ctrl-C/, 'nothing wrong, no secret, and it does not wait');
nothing_left('once', $port);


# --- what goes wrong -------------------------------------------------------

$port = free_port();
my $taken = listen_on($port);
($status, $said) = run(DEMO_ONCE => 1, DEMO_PORT => $port);
is($status, 1, 'busy port: status');
like($said, qr/^demo: cannot use port $port of 127\.0\.0\.1: Address already in use\.\nChoose .* DEMO_PORT=\d+$/m,
     'busy port: says so');
close $taken;
nothing_left('busy port', $port);

($status, $said) = run(DEMO_ONCE => 1, DEMO_PORT => $port, NGINX_BINARY => "$top/nonesuch");
is($status, 1, 'no nginx: status');
like($said, qr{cannot run \S+/nonesuch: No such file}, 'no nginx: says so');
nothing_left('no nginx', $port);

($status, $said) = run(DEMO_ONCE => 1, DEMO_PORT => $port, MODULE => "$top/nonesuch.so");
is($status, 1, 'no module: status');
like($said, qr{/nonesuch\.so is missing; run "make"}, 'no module: says so');

($status, $said) = run(DEMO_ONCE => 1, DEMO_PORT => '80x');
is($status, 1, 'bad port: status');
like($said, qr/DEMO_PORT must be/, 'bad port: says so');

# an nginx that turns away what it should take, to see that the demo checks

{
    my $conf = slurp("$top/docs/examples/demo.conf");
    my $copy = tempdir(CLEANUP => 1);
    mkdir "$copy/$_" for qw(tools docs docs/examples);
    for my $file (qw(tools/demo tools/demo-app tools/demo-codat tools/codat-send)) {
        spew("$copy/$file", slurp("$top/$file"));
    }
    ok($conf =~ s/^ *codat_forward  \*\.write\..*\n//m, "the example has a forward to take away");
    spew("$copy/docs/examples/demo.conf", $conf);
    ($status, $said) = run_script("$copy/tools/demo", DEMO_ONCE => 1, DEMO_PORT => $port);
    is($status, 1, 'an event is lost: status');
    like($said, qr/^invoices\.write\.successful\n.*\n.*nothing\n +WRONG +application got 0 events instead of 1$/m,
         'an event is lost: says so');
    nothing_left('an event is lost', $port);
}


# --- until it is stopped ---------------------------------------------------

for my $signal (qw(INT TERM KILL)) {
    $port = free_port();
    my $pid = open my $out, '-|';
    die "fork: $!" unless defined $pid;
    become($demo, DEMO_PORT => $port) if !$pid;

    my $text = '';
    eval {
        local $SIG{ALRM} = sub { die };
        alarm 60;
        while (defined(my $line = readline $out)) {
            $text .= $line;
            last if $line =~ /Ctrl-C stops it/;
        }
        alarm 0;
    };
    like($text, qr/^  curl .*\n +-d .* http:\S+:$port\S+$/m, "SIG$signal: suggests things to try") or diag($text);

    if ($signal eq 'INT') {
        my ($line) = $text =~ /^(  tools\/codat-send --secret .*\\\n.*)$/m;
        my $answer = `cd '$top' && $line 2>&1`;
        like($answer, qr/^200 OK  bills\.write\.unsuccessful .*\n.*"accepted"/, 'which work');
        like(scalar readline $out, qr{^application got  /pushes io\.codat\.bills\.write\.unsuccessful }, 'and are shown');
    }

    kill $signal, $pid;
    my $rest = join '', readline $out;
    close $out;
    is($?, $signal eq 'KILL' ? 9 : 0, "SIG$signal: ends");
    nothing_left("SIG$signal", $port);
}

done_testing();


sub run { return run_script($demo, @_) }

sub run_script {
    my ($script, %env) = @_;
    my $pid = open my $out, '-|';
    die "fork: $!" unless defined $pid;
    become($script, %env) if !$pid;
    my $text = do { local $/; readline $out };
    close $out;
    return ($? & 127 ? -1 : $? >> 8, $text);
}

sub become {
    my ($script, %env) = @_;
    @ENV{ keys %env } = values %env;
    open STDERR, '>&', \*STDOUT;
    exec $^X, $script;
}

sub nothing_left {
    my ($name, $where) = @_;
    my (@left, $listener);
    my $until = time + 10;
    do {
        sleep 0.02;
        @left = glob "$ENV{TMPDIR}/codat-demo-*";
        $listener ||= listen_on($where);
    } while ((@left || !$listener) && time < $until);
    is("@left", '', "$name: no folder is left");
    ok($listener, "$name: the port is free again");
}

sub listen_on {
    my ($where) = @_;
    return IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $where, Listen => 1, ReuseAddr => 1);
}

sub slurp {
    my ($path) = @_;
    open my $file, '<', $path or die "$path: $!";
    local $/;
    return readline $file;
}

sub spew {
    my ($path, $text) = @_;
    open my $file, '>', $path or die "$path: $!";
    print $file $text;
    close $file;
}
