package Bench::Server;

# Servers: nginx with a configuration, or the command of a peer; what CPU time
# and memory all their processes take.

use strict;
use warnings;

use File::Copy qw(copy);
use File::Path qw(make_path remove_tree);
use IO::Socket::INET ();
use POSIX ();
use Time::HiRes qw(time sleep);

use Bench::Common qw($top $out %set dir slurp spew pin version);
use Bench::Messages ();

my $tick = POSIX::sysconf(POSIX::_SC_CLK_TCK());
my ($owner, %live, %so, $application) = ($$);


# module($name): the path of a module, of which "codat" is the one under test;
# copies: a "make" in the meantime changes nothing

sub module {
    my ($name) = @_;

    return $so{$name} //= do {
        my $from = $name eq 'codat' ? $set{module}
            : -d "$top/t/bench/$name" ? build($name) : installed($name);
        my $to = dir() . "/$name.so";
        copy($from, $to) or die "bench: $from: $!\n";
        $to;
    };
}


sub build {
    my ($name) = @_;

    my $build = "$out/$name";
    make_path($build);

    system('bash', '-c', 'cd "$1" && "$2" "$3" "$4" > /dev/null'
        . ' && make -s -f "$4/Makefile" -C "$3" modules', 'bash',
        "$top/t/bench/$name", "$top/t/tools/configure", $set{nginx_src},
        $build) == 0
        or die "bench: the module $name does not build, see "
            . "$build/configure.log\n";

    my ($so) = glob("$build/ngx_*_module.so");

    return $so;
}


sub installed {
    my ($name) = @_;

    our $path //= qx($top/t/tools/modules-path $set{nginx});
    chomp $path;

    return "$path/$name.so";
}


# what requests are passed on to

sub application {
    return $application //= start(name => 'application', client => 1,
        load => ['baseline'], locations => 'location / { bench_baseline; } '
        . "location = /list { default_type application/json; return 200 '"
        . listed() . "'; }")->{port};
}


# 4 KB as a list of Codat's API is written

sub listed {
    return '{"results":[' . join(',', map { sprintf
        '{"id":"3f6c1a52-8e0b-4b7d-9a34-0c5d2e1f%04d","currency":"GBP",'
        . '"status":"Submitted","lineItems":[{"unitAmount":%d.5}]}', $_, $_ }
        1 .. 33) . ']}';
}


# Starts nginx.  Names: name, load (modules), zone (1, or more parameters),
# http, conf (of the location of webhooks), locations (others), upstream, tls,
# files (a folder that it has as "peer"), client (not on the CPUs of servers),
# wrap (a command in front).

sub start {
    my (%o) = @_;

    my $prefix = dir() . '/' . $o{name} =~ tr/ :/--/r;
    remove_tree($prefix);
    make_path("$prefix/temp");
    spew("$prefix/secret", Bench::Messages::secret_text() . "\n");
    spew("$prefix/password", "$Bench::Messages::password\n");
    chmod 0600, "$prefix/secret", "$prefix/password";
    symlink($o{files}, "$prefix/peer") if $o{files};

    my ($port, $tls_port) = (free_port(), free_port());
    my $workers = $o{client} ? 1 : $set{workers};
    my $listen = 'backlog=1024' . ($workers > 1 ? ' reuseport' : '');
    my $master = $o{wrap} ? 'off' : 'on';
    my $user = $> == 0 ? 'user root;' : '';
    my ($http, $locations) = map { $_ // '' } @o{qw(http locations)};

    my $load = join '', map { 'load_module ' . module($_) . ";\n" }
        @{$o{load} // []};
    my $temp = join ' ', map { "${_}_temp_path temp/$_;" }
        qw(client_body proxy), grep {
            version('-V') !~ /--without-http_${_}_module/
        } qw(fastcgi uwsgi scgi);
    my $zone = $o{zone} ? 'codat_zone zone=bench:96m'
        . ($o{zone} eq 1 ? ';' : " $o{zone};") : '';
    my $upstream = $o{upstream} ? 'upstream application { server 127.0.0.1:'
        . application() . '; keepalive 128; keepalive_requests 1000000000; }'
        : '';
    my $tls = $o{tls} ? "listen 127.0.0.1:$tls_port ssl $listen; "
        . certificate() : '';
    my $location = $o{conf} ? "location = /webhooks/codat { $o{conf} }" : '';

    spew("$prefix/nginx.conf", <<"END");
$load
daemon off; master_process $master; $user
worker_processes $workers;
pid nginx.pid;
error_log error.log;
events { worker_connections 1024; }
http {
    $temp
    access_log off;
    client_header_buffer_size 4k;
    keepalive_requests 1000000000;
    $zone
    $http
    $upstream
    server {
        listen 127.0.0.1:$port $listen;
        $tls
        $location
        $locations
    }
}
END

    my $server = command(prefix => $prefix, port => $port,
        pin => $o{client} ? 'client' : 'server',
        command => [@{$o{wrap} // []}, $set{nginx}, '-p', "$prefix/", '-c',
                    'nginx.conf', '-e', 'error.log'],
        ready => sub { -s "$prefix/nginx.pid"
                       && ($o{wrap} || children($_[0]) >= $workers) });
    $server->{tls_port} = $tls_port if $o{tls};

    return $server;
}


# Starts any command, which is ready when it listens.  Names: prefix, port,
# command, env, pin, ready.

sub command {
    my (%o) = @_;

    make_path($o{prefix});
    my $log = "$o{prefix}/error.log";

    my $pid = fork() // die "fork: $!\n";
    if (!$pid) {
        open(STDOUT, '>>', $log);
        open(STDERR, '>&', \*STDOUT);
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        $ENV{$_} = $o{env}{$_} for keys %{$o{env} // {}};
        chdir $o{prefix};
        { no warnings 'exec'; exec(pin($o{pin}), @{$o{command}}); }
        print STDERR "[emerg] cannot run $o{command}[0]: $!\n";
        POSIX::_exit(127);
    }
    $live{$pid} = 1;

    my $server = { pid => $pid, port => $o{port}, prefix => $o{prefix} };
    my $until = time + 30;
    until (connects($o{port}) && (!$o{ready} || $o{ready}->($pid))) {
        my $ended = waitpid($pid, POSIX::WNOHANG()) == $pid;
        my $said = slurp($log);
        my ($why) = $said =~ /(.*\[emerg\].*)/;

        if ($why || $ended || time > $until) {
            stop($server);
            die "$o{command}[0] does not start: ",
                $why // $said =~ s/(?<=\n)(?=(.*\n){8}).*//sr, "\n";
        }
        sleep(0.01);
    }

    return $server;
}


# ends it, and gives what is wrong by its log

sub stop {
    my ($server) = @_;

    if (delete $live{$server->{pid}}) {
        kill('TERM', $server->{pid});
        # valgrind may notice the signal only once something else happens
        close(delete $server->{kept}) if $server->{kept};
        waitpid($server->{pid}, 0);
    }

    my $log = slurp("$server->{prefix}/error.log");
    return $log =~ /^(.*\[(?:error|crit|alert|emerg)\].*)/m ? $1 : '';
}


END {
    if ($$ == $owner) {
        my $status = $?;
        kill('TERM', $_) && waitpid($_, 0) for keys %live;
        $? = $status;
    }
}


# of TLS, made once

sub certificate {
    my $path = dir() . '/tls';

    if (!-f "$path.crt") {
        system('sh', '-c', 'exec openssl req -x509 -nodes -days 2 -newkey ec '
            . '-pkeyopt ec_paramgen_curve:P-256 -subj /CN=localhost '
            . '-keyout "$0.key" -out "$0.crt" 2> /dev/null', $path) == 0
            or die "bench: openssl makes no certificate\n";
    }

    return "ssl_protocols TLSv1.2 TLSv1.3; "
        . "ssl_certificate $path.crt; ssl_certificate_key $path.key;";
}


sub free_port {
    return IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)
        ->sockport;
}


sub connects {
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => shift);
}


# what it answers to one request

sub ask {
    my ($server, $request) = @_;

    my $socket = connects($server->{port}) or die "bench: connect: $!\n";
    print $socket $request =~ s/\r\n/\r\nConnection: close\r\n/r;
    local $/;

    return readline($socket) // '';
}


# --- its processes ---------------------------------------------------------

sub children {
    my ($parent) = @_;

    return grep { slurp("/proc/$_/stat") =~ /^\d+ \(.*\) \S $parent /s }
        map { m{(\d+)} } glob('/proc/[0-9]*');
}


sub processes {
    my ($pid) = @_;

    return ($pid, map { processes($_) } children($pid));
}


# CPU seconds that all of them have used

sub cpu {
    my ($server) = @_;

    my $ticks = 0;
    for my $pid (processes($server->{pid})) {
        my $stat = slurp("/proc/$pid/stat") =~ s/^.*\) //sr;
        my ($user, $system) = (split ' ', $stat)[11, 12];
        $ticks += $user + $system;
    }

    return $ticks / $tick;
}


# MiB: "Pss" of all processes, which divides a page among those who share it,
# or "Rss" of the workers

sub memory {
    my ($server, $what) = @_;

    my $kb = 0;
    for my $pid ($what eq 'Rss' ? children($server->{pid})
                                : processes($server->{pid}))
    {
        $kb += $1
            if slurp("/proc/$pid/smaps_rollup") =~ /^$what:\s+(\d+) kB/m;
    }

    return $kb / 1024;
}


1;
