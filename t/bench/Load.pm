package Load;

# What t/bench/lock, t/bench/stall and t/soak/run have in common: the sender,
# what it sends, and an nginx to send it to.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use JSON::PP ();
use POSIX ();
use Time::HiRes qw(time sleep);

my $top = abs_path(dirname(__FILE__) . '/../..');

use lib dirname(__FILE__) . '/../lib';
use CodatTest::Nginx ();

require "$top/tools/codat-send";

my (%children, $owner);
$owner = $$;

# where messages go: without a forward, and with one that asks nobody else
our $SERVER = <<'END';
    access_log off;
    keepalive_requests 1000000000;
    location = /hook    { codat_webhook zone=codat; }
    location = /forward { codat_webhook zone=codat; codat_forward * /app; }
    location = /app     { internal; return 204; }
    location /codat/    { codat_status zone=codat; }
END


sub top { return $top }


# build(): the module under test, copied, so that a "make" in the meantime
# changes nothing, and the sender, both in the folder

sub build {
    my ($dir, $module) = @_;

    system('cp', $module, "$dir/codat.so") == 0 or die "no $module\n";
    $ENV{TEST_NGINX_LOAD_MODULES} = "$dir/codat.so";
    $ENV{TEST_NGINX_BINARY} //= $ENV{NGINX_BINARY} || 'nginx';
    $ENV{PATH} .= ':/usr/sbin:/sbin';

    system($ENV{CC} || 'cc', '-O2', '-Wall', '-o', "$dir/load",
           "$top/t/bench/load.c") == 0 or die "load.c does not build\n";
}


# nginx(zone => '16m', workers => 4, server => '', http => '')

sub nginx {
    my (%opt) = @_;

    return CodatTest::Nginx->new(
        workers => $opt{workers}, level => 'notice', timeout => 30,
        worker_connections => 4096,
        listen => '127.0.0.1:{{port}} reuseport backlog=1024',
        conf => {
            http => "codat_zone zone=codat:$opt{zone}; "
                . 'codat_credential bearer sesame; ' . ($opt{http} // ''),
            server => $opt{server} // $SERVER,
        });
}


# The messages of one turn, which the sender repeats with other numbers: a
# name, where it goes, and what CodatSend::message() takes.  In a UUID "%B" is
# the number of the turn, "%C" that of the company, "%D" and "%E" those of an
# earlier turn.

sub push_key { return sprintf('%s-7a31-4c52-9e08-%s', $_[0],
                              $_[1] // '%BBBBBBBBBBB') }

sub company { return '9c41d7e2-3b60-4f18-a5d9-' . ($_[0] // '%CCCCCCCCCCC') }

sub connection { return '5d20ab86-e14f-4973-8c6b-'
                     . ($_[0] // '%CCCCCCCCCCC') }

our %PUSHES = (             # and how each ends, the last one 200 turns later
    'a1000000' => 'Success', 'a2000000' => 'Failed', 'a3000000' => 'TimedOut',
    'a4000000' => 'Success', 'a5000000' => 'Success',
);
our $BEFORE = 200;

# the status of a push when so many turns are over
sub status {
    my ($head, $base, $turns) = @_;

    return $head eq 'a5000000' && $base >= $turns - $BEFORE
        && $base >= $BEFORE ? 'Pending' : $PUSHES{$head};
}

our @TURN = (
    ['/hook', event => 'PushOperationStatusChanged', status => 'Pending',
     push_key => push_key('a1000000')],
    ['/hook', event => 'invoices.write.successful',
     push_key => push_key('a1000000')],
    ['/forward', event => 'invoices.write.unsuccessful',
     error => 'The platform has refused the record.',
     push_key => push_key('a2000000')],
    ['/hook', event => 'PushOperationTimedOut',
     push_key => push_key('a3000000')],
    ['/forward', event => 'PushOperationStatusChanged', status => 'Success',
     push_key => push_key('a4000000')],
    ['/hook', event => 'connection.connected'],
    ['/hook', event => 'PushOperationStatusChanged', status => 'Pending',
     push_key => push_key('a5000000')],
    ['/forward', event => 'read.completed.successful',
     data_type => 'invoices,bills'],
    ['/hook', event => 'bills.write.successful',
     push_key => push_key('a5000000', '%DDDDDDDDDDD'),
     company => company('%EEEEEEEEEEE'),
     connection => connection('%EEEEEEEEEEE')],
);


# templates($path, @turn): writes them for the sender

sub templates {
    my ($path, @turn) = @_;

    open(my $fh, '>', $path) or die "$path: $!\n";

    for (@turn) {
        my ($uri, @what) = @$_;
        my $m = CodatSend::message(company => company(),
            connection => connection(), authorization => 'Bearer sesame',
            event_id => 'e0000000-7a31-4c52-9e08-%MMMMMMMMMMM', @what);

        print $fh "--request--\nPOST $uri HTTP/1.1\r\nHost: localhost\r\n",
            "Authorization: Bearer sesame\r\n",
            "Content-Type: application/json\r\n",
            "webhook-id: msg_%MMMMMMMMMMM\r\n",
            'Content-Length: ', length $m->{body}, "\r\n\r\n", $m->{body};
    }

    close($fh) or die "$path: $!\n";
}


# send(dir, nginx, connections, first, count, name, rate, keep): starts it;
# wait_for() gives what it said at its end

sub send {
    my (%opt) = @_;

    my $out = "$opt{dir}/" . ($opt{name} // 'load');
    return spawn("$out.json", "$opt{dir}/load", $opt{nginx}->port,
                 $opt{connections}, $opt{first}, $opt{count},
                 "$opt{dir}/templates", $out, $opt{rate} // 0,
                 $opt{keep} // 0);
}


sub spawn {
    my ($out, @command) = @_;

    my $pid = fork() // die "fork: $!\n";
    if (!$pid) {
        open(STDOUT, '>', $out) or POSIX::_exit(126);
        { no warnings 'exec'; exec(@command); }
        POSIX::_exit(127);
    }
    $children{$pid} = $out;

    return $pid;
}


# child(sub { ... }): the same of a piece of Perl, which ends at SIGTERM

sub child {
    my ($code) = @_;

    my $pid = fork() // die "fork: $!\n";
    if (!$pid) {
        %children = ();
        $SIG{TERM} = sub { POSIX::_exit(0) };
        $SIG{PIPE} = 'IGNORE';
        eval { $code->(); 1 } or print STDERR $@;
        POSIX::_exit($@ ? 1 : 0);
    }
    $children{$pid} = '';

    return $pid;
}


sub running { return waitpid($_[0], POSIX::WNOHANG()) == 0 ? 1 : ended(@_) }

my %status;

sub ended { $status{$_[0]} = $? unless defined $status{$_[0]}; return 0 }


# wait_for($pid): 1 if it ended well

sub wait_for {
    my ($pid) = @_;

    waitpid($pid, 0) if !defined $status{$pid};
    my $result = $status{$pid} //= $?;
    delete $children{$pid};

    return $result == 0;
}


sub stop {
    my ($pid) = @_;

    kill('TERM', $pid) unless defined $status{$pid};

    return wait_for($pid);
}


sub result {
    my ($path) = @_;

    return JSON::PP::decode_json(slurp($path) || 'null')
        // die "the sender has said nothing\n";
}


sub slurp {
    my ($path) = @_;

    open(my $fh, '<:raw', $path) or return '';
    local $/;

    return readline($fh) // '';
}


sub version {
    my ($v) = qx($ENV{TEST_NGINX_BINARY} -v 2>&1) =~ m{version: (.*)};

    return $v;
}


sub cpus {
    my ($list) = slurp('/proc/self/status') =~ /^Cpus_allowed_list:\s*(.*)/m;

    return map { /(\d+)-(\d+)/ ? $1 .. $2 : $_ } split /,/, $list // '';
}


END {
    if ($$ == $owner) {
        my $status = $?;
        kill('TERM', keys %children);
        waitpid($_, 0) for keys %children;
        $? = $status;
    }
}


1;
