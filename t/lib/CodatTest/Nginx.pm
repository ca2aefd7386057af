package CodatTest::Nginx;

# A private nginx in a temporary folder, on free ports of 127.0.0.1, with the
# module loaded.
#
# In the texts of the configuration {{port}} is the server's port, {{port1}},
# {{port2}}, ... are further free ports, {{prefix}} is the folder.

use strict;
use warnings;

use File::Path qw(make_path);
use File::Temp ();
use POSIX qw(WNOHANG);
use Scalar::Util qw(weaken);
use Time::HiRes qw(time sleep);

use CodatTest::Client ();
use CodatTest::Port qw(free_ports);
use CodatTest::Slow;

my %live;

# nginx starts another binary without the environment that it had itself

my @kept = qw(ASAN_OPTIONS UBSAN_OPTIONS LSAN_OPTIONS CODAT_LOCKCHECK
    CODAT_LOCKCHECK_MS);


# new(conf => { main => '', http => '', server => '' },
#     listen => '127.0.0.1:{{port}}'   parameters of the server's listen, or a
#                                      list of them
#     workers => 1, master => 1, level => 'debug', timeout => 10 (start, stop),
#     worker_connections => 256, binary => TEST_NGINX_BINARY or nginx)

sub new {
    my ($class, %opt) = @_;

    my $self = bless {
        workers => 1, master => 1, level => 'debug', timeout => 10,
        worker_connections => 256,
        listen => '127.0.0.1:{{port}}',
        binary => $ENV{TEST_NGINX_BINARY} || 'nginx',
        %opt,
        owner => $$, mark => 0,
    }, $class;

    $self->{dir} = File::Temp->newdir('codat-XXXXXX', TMPDIR => 1,
                                      CLEANUP => !$ENV{CODAT_TEST_KEEP});
    $self->{prefix} = $self->{dir}->dirname;
    make_path(map { "$self->{prefix}/$_" } qw(conf logs temp html));

    $self->_pick_ports;

    return $self;
}


sub prefix { $_[0]{prefix} }
sub port { $_[0]{ports}{'port' . ($_[1] // '')} }
sub pid { $_[0]{pid} }


# writes a file below the prefix, returns its path

sub file {
    my ($self, $name, $text, $mode) = @_;

    my $path = "$self->{prefix}/$name";
    open(my $fh, '>:raw', $path) or die "$path: $!\n";
    print $fh $text;
    close($fh) or die "$path: $!\n";
    chmod($mode // 0600, $path);

    return $path;
}


# check(): what nginx -t says of the configuration: (true if good, text)

sub check {
    my $self = shift;

    $self->_write_conf;
    my @command = $self->_command('-t');
    open(my $out, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', @command)
        or die "$command[0]: $!\n";
    my $text = join('', <$out>);
    my $ok = close($out);

    return ($ok ? 1 : 0, $text);
}


# start(): dies, with the error log, if nginx does not come up

sub start {
    my $self = shift;

    for my $signal (qw(INT TERM)) {
        $SIG{$signal} = sub { exit 1 } unless $SIG{$signal};
    }

    for my $try (1 .. 5) {
        $self->_write_conf;
        $self->_spawn;
        return $self if $self->_wait_until(sub {
            die "gone\n" if $self->_reap;
            $self->pids >= $self->{workers} && $self->_serves;
        });

        my $said = $self->error_log(all => 1) . $self->stderr;
        $self->stop('KILL');
        die "nginx did not start:\n", $self->_interesting($said)
            unless $said =~ /Address already in use/;

        $self->_pick_ports;
    }

    die "nginx found no free port\n";
}


# stop($signal = 'QUIT'): true if all processes ended in time with status 0;
# those that did not are killed.  A connection on which a client has not yet
# sent a request keeps nginx waiting: close it before

sub stop {
    my ($self, $signal) = @_;

    return 1 unless $self->{pid};

    my @pids = ($self->pids(all => 1), $self->{pid});
    kill($signal // 'QUIT', $self->{pid});
    my $ok = $self->_wait_until(sub { $self->_reap });

    if (!$ok) {
        kill('KILL', @pids);
        $self->_wait_until(sub { $self->_reap });
    }

    delete $self->{pid};
    delete $live{$self};

    return $ok && ($self->{status} // -1) == 0;
}


# reload(%conf): SIGHUP, with the given parts of the configuration replaced;
# true when new workers serve and every old one knows that it has to go;
# false if the configuration was refused (nginx goes on with the old one)

sub reload {
    my ($self, %conf) = @_;

    $self->{conf} = {%{$self->{conf} // {}}, %conf};
    $self->_write_conf;

    my %old = map { $_ => 1 } $self->pids;
    my $from = -s $self->_log_path;
    kill('HUP', $self->{pid});

    my $done = $self->_wait_until(sub {
        die "refused\n" if $self->_log_from($from) =~ /\[emerg\]/;

        my @new = grep { !$old{$_} } $self->pids;
        return 0 if @new < $self->{workers};

        return !(grep { $old{$_} } $self->pids) && $self->_serves;
    });

    return $done;
}


# pids(): of the workers that are not on their way out; all => 1: of all
# children of the master

sub pids {
    my ($self, %opt) = @_;

    my @pids;

    return @pids unless $self->{pid};
    return @pids = $self->{pid} unless $self->{master} || $opt{all};

    for my $path (glob('/proc/[0-9]*/stat')) {
        open(my $fh, '<', $path) or next;
        my $stat = <$fh> // next;
        my ($pid, $state, $parent) = $stat =~ /^(\d+) \(.*\) (\S) (\d+)/s
            or next;
        next unless $parent == $self->{pid} && $state ne 'Z';
        next if !$opt{all} && $self->_leaving($pid);
        push @pids, $pid;
    }

    @pids = sort { $a <=> $b } @pids;

    return @pids;
}


# kill_worker($signal = 'KILL', $index = 0): ends one worker and waits for the
# one that takes its place; returns both ids

sub kill_worker {
    my ($self, $signal, $index) = @_;

    my @old = $self->pids;
    my $victim = $old[$index // 0] // die "no such worker\n";
    my %old = map { $_ => 1 } @old;
    kill($signal // 'KILL', $victim);

    my $new;
    $self->_wait_until(sub {
        my @now = $self->pids;
        ($new) = grep { !$old{$_} } @now;
        return $new && !grep { $_ == $victim } @now;
    }) or die "no new worker\n";

    return ($victim, $new);
}


# sql($sql, $name): what the database $name.db in the prefix says, codat.db if
# there is no name, while nginx goes on with it

sub sql {
    my ($self, $sql, $name) = @_;
    my $path = "$self->{prefix}/" . ($name // 'codat') . '.db';

    my $said = qx(sqlite3 $path '.timeout 5000' \\
        "$sql" 2>&1);
    chomp $said;

    return $said;
}


# wait_loaded($location): true when the zone whose codat_status is there has
# what its store knows: until then, a row that somebody else writes to the
# database may get into the zone with the others

sub wait_loaded {
    my ($self, $location) = @_;

    return $self->_wait_until(sub {
        $self->request('GET', $location)->json->{store}{loaded};
    }, 10);
}


# signal($name): to the master

sub signal {
    my ($self, $signal) = @_;

    return kill($signal, $self->{pid});
}


# stub_status(): { active, accepts, handled, requests, reading, writing,
# waiting }, without the connection that asks in the first, and without the
# request in "writing"

sub stub_status {
    my $self = shift;

    my $client = CodatTest::Client->new(port => $self->{ports}{status});
    my $response = $client->request('GET', '/', {}, undef, close => 1)
        // die 'stub_status: ', $client->error, "\n";

    my @n = $response->body =~ /(\d+)/g;
    my %status;
    @status{qw(active accepts handled requests reading writing waiting)} = @n;
    $status{active}--;
    $status{writing}--;

    return \%status;
}


# wait_idle($timeout): true when no connection of a client is left open

sub wait_idle {
    my ($self, $timeout) = @_;

    return $self->_wait_until(sub { !$self->stub_status->{active} }, $timeout);
}


# mark(): the logs are read from here on.  error_log(all => 1): nevertheless
# from the beginning

sub mark {
    my $self = shift;

    $self->{mark} = -s $self->_log_path // 0;
    $self->{access_mark} = -s "$self->{prefix}/logs/access.log" // 0;

    return $self;
}


sub error_log {
    my ($self, %opt) = @_;

    return $self->_log_from($opt{all} ? 0 : $self->{mark});
}


sub access_log {
    my ($self, %opt) = @_;

    return _read_from("$self->{prefix}/logs/access.log",
                      $opt{all} ? 0 : $self->{access_mark});
}


# what nginx wrote to standard error: sanitizers do

sub stderr { _read_from("$_[0]{prefix}/logs/stderr.log", 0) }


# wait_log(qr/.../, $timeout): true when the error log since the mark has it

sub wait_log {
    my ($self, $pattern, $timeout) = @_;

    return $self->_wait_until(sub { $self->error_log =~ $pattern }, $timeout);
}


# client(%opt): a new CodatTest::Client to the server

sub client {
    my ($self, %opt) = @_;

    return CodatTest::Client->new(port => $self->port, %opt);
}


# request($method, $uri, $headers, $body, %opt): on a connection of its own

sub request {
    my ($self, $method, $uri, $headers, $body, %opt) = @_;

    my %connect = map { $_ => delete $opt{$_} }
        grep { exists $opt{$_} } qw(port tls);

    return $self->client(%connect)
        ->request($method, $uri, $headers, $body, close => 1, %opt);
}


sub _command {
    my ($self, @more) = @_;

    return ($self->{binary}, '-p', $self->{prefix}, '-c', 'conf/nginx.conf',
            '-e', 'logs/error.log', @more);
}


sub _spawn {
    my $self = shift;

    my @command = $self->_command;
    my $pid = fork() // die "fork: $!\n";

    if (!$pid) {
        open(STDIN, '<', '/dev/null');
        open(STDOUT, '>>', "$self->{prefix}/logs/stderr.log");
        open(STDERR, '>&', \*STDOUT);
        $SIG{$_} = 'DEFAULT' for qw(INT TERM PIPE CHLD);
        { no warnings; exec @command; }
        print STDERR "$command[0]: $!\n";
        POSIX::_exit(127);
    }

    $self->{pid} = $pid;
    delete $self->{status};
    weaken($live{$self} = $self);
}


# true when the process that we started has ended

sub _reap {
    my $self = shift;

    return 1 if defined $self->{status};

    my $got = waitpid($self->{pid}, WNOHANG);
    return 0 if $got == 0;
    $self->{status} = $got == $self->{pid} ? $? : -1;

    return 1;
}


sub _serves {
    my $self = shift;

    return eval { $self->stub_status } ? 1 : 0;
}


# true when the condition came true; false when it died or time is up

sub _wait_until {
    my ($self, $condition, $timeout) = @_;

    my $until = time + slow($timeout // $self->{timeout});
    my $pause = 0.002;

    while (1) {
        my $result = eval { $condition->() };
        return 0 if $@;
        return 1 if $result;
        return 0 if time > $until;
        sleep($pause);
        $pause *= 1.5 if $pause < 0.05;
    }
}


sub _pick_ports {
    my $self = shift;

    my $text = join("\n", values %{$self->{conf} // {}},
                    ref $self->{listen} ? @{$self->{listen}}
                                        : $self->{listen});
    my %wanted = map { $_ => 1 } 'port', 'status',
        $text =~ /\{\{(port\d+)\}\}/g;

    my %ports;
    @ports{keys %wanted} = free_ports(scalar keys %wanted);

    $self->{ports} = \%ports;
}


sub _write_conf {
    my $self = shift;

    my $conf = $self->{conf} // {};
    my @listen = ref $self->{listen} ? @{$self->{listen}} : $self->{listen};

    my $text = join("\n",
        (map { "load_module $_;" } $self->_modules),
        (map { "env $_;" } grep { defined $ENV{$_} } @kept),
        $> == 0 ? 'user root;' : (),
        'daemon off;',
        'master_process ' . ($self->{master} ? 'on;' : 'off;'),
        "worker_processes $self->{workers};",
        'pid logs/nginx.pid;',
        "error_log logs/error.log $self->{level};",
        $conf->{main} // '',
        "events { worker_connections $self->{worker_connections}; }",
        'http {',
        '    access_log logs/access.log;',
        (map { "    ${_}_temp_path temp/$_;" } $self->_temp_paths),
        '    server { listen 127.0.0.1:{{status}}; access_log off;',
        '             location / { stub_status; } }',
        $conf->{http} // '',
        '    server {',
        (map { "        listen $_;" } @listen),
        '        server_name localhost;',
        $conf->{server} // '',
        "    }\n}\n");

    my %value = (%{$self->{ports}}, prefix => $self->{prefix});
    $text =~ s/\{\{(\w+)\}\}/$value{$1} \/\/ die "unknown {{$1}}\n"/ge;
    $self->file('conf/nginx.conf', $text);
}


sub _version {
    my $self = shift;

    return $self->{version} //= do {
        open(my $out, '-|', 'sh', '-c', 'exec "$0" -V 2>&1', $self->{binary})
            or die "$self->{binary}: $!\n";
        local $/;
        <$out>;
    };
}


# the module, unless this binary has it inside

sub _modules {
    my $self = shift;

    return split(' ', $ENV{TEST_NGINX_LOAD_MODULES})
        if defined $ENV{TEST_NGINX_LOAD_MODULES};

    return if grep { -d "$_/ngx_http_codat_module" }
        $self->_version =~ /--add-module=(\S+)/g;

    my $module = CodatTest::top() . '/build/ngx_http_codat_module.so';
    return -f $module ? $module : ();
}


sub _temp_paths {
    my $self = shift;

    return grep { $self->_version !~ /--without-http_${_}_module/ }
        qw(client_body proxy fastcgi uwsgi scgi);
}


sub _log_path { "$_[0]{prefix}/logs/error.log" }

sub _log_from { _read_from($_[0]->_log_path, $_[1]) }


sub _read_from {
    my ($path, $offset) = @_;

    open(my $fh, '<:raw', $path) or return '';
    seek($fh, $offset // 0, 0);
    local $/;

    return scalar(<$fh>) // '';
}


sub _command_line {
    my $pid = shift;

    return _read_from("/proc/$pid/cmdline", 0);
}


# a title that nginx gave itself is not seen where valgrind runs it

sub _leaving {
    my ($self, $pid) = @_;

    my $title = _command_line($pid);

    return $title =~ /shutting down|cache (manager|loader)/
        if $title =~ /^nginx:/;

    return $self->error_log(all => 1)
        =~ /\ $pid\#\d+:\ gracefully\ shutting\ down$/mx;
}


sub _interesting {
    my ($self, $text) = @_;

    return join("\n", grep { !/\[debug\]/ } split(/\n/, $text)) . "\n";
}


sub DESTROY {
    my $self = shift;

    local ($?, $@);
    $self->stop if $self->{pid} && $self->{owner} == $$;
}


END {
    my $status = $?;
    $_->DESTROY for grep { defined } values %live;
    $? = $status;
}


1;
