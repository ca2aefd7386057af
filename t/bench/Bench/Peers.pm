package Bench::Peers;

# Other servers that do what the module does.  Each has a folder below
# t/bench/peers; what it needs is installed or built before the first round,
# and it is checked to do all that it claims.

use strict;
use warnings;

use File::Path qw(make_path);

use Bench::Common qw($top $out %set dir slurp spew);
use Bench::Messages ();
use Bench::Server ();

my $peers = "$top/t/bench/peers";

# packages: a set of t/tools/deps; load: modules of nginx; lacks: what it
# cannot do
my %PEERS = (
    lua => {
        packages => 'lua', load => [qw(ndk_http_module ngx_http_lua_module)],
    },
    njs => {
        packages => 'njs', load => ['ngx_http_js_module'],
        lacks => 'before 0.8.0 it has no shared dictionary, so it remembers '
            . 'neither messages nor pushes',
    },
    fastify => {
        packages => 'node', make => \&npm,
        start => sub { own('fastify', 'node', "$out/peers/node/fastify.js") },
    },
    express => {
        packages => 'node', make => \&npm,
        start => sub { own('express', 'node', "$out/peers/node/express.js") },
    },
    go => {
        packages => 'go', make => \&go_build,
        start => sub { own('go', "$out/peers/go/webhook") },
    },
);


sub names { return sort keys %PEERS }

sub lacks { return $PEERS{$_[0]}{lacks} }

sub is_nginx { return $PEERS{$_[0]}{load} ? 1 : 0 }


# start($name, wrap => [...]), as in Bench::Server

sub start {
    my ($name, %o) = @_;

    return is_nginx($name) ? nginx($name, %o) : $PEERS{$name}{start}->();
}


# prepare($name): nothing, or why it cannot be measured

sub prepare {
    my ($name) = @_;

    my $peer = $PEERS{$name};
    eval {
        run("$top/t/tools/deps", 'install', $peer->{packages})
            if $set{install};
        $peer->{make}->() if $peer->{make};
        check($name);
        1;
    } and return;

    return $@ =~ s/\s*\z//r =~ s/\s*\n\s*/ | /gr;
}


# runs a command, of which only the end is told, and only if it fails

sub run {
    my (@command) = @_;

    open(my $pipe, '-|', 'sh', '-c', 'exec "$@" 2>&1 < /dev/null', 'sh',
         @command) or die "cannot run $command[0]: $!\n";
    my @said = readline $pipe;
    splice @said, 0, @said > 3 ? @said - 3 : 0;
    close($pipe) or die "$command[0] failed: @said\n";
}


# --- each of them ----------------------------------------------------------

sub nginx {
    my ($name, %o) = @_;

    my $load = $PEERS{$name}{load};
    for (@$load) {
        my $path = Bench::Server::installed($_);
        die "there is no $path\n" unless -f $path;
    }

    return Bench::Server::start(%o, name => "peer $name", load => $load,
        files => "$peers/$name", http => slurp("$peers/$name/http.conf"),
        conf => slurp("$peers/$name/location.conf"));
}


sub own {
    my ($name, @command) = @_;

    my $port = Bench::Server::free_port();
    return Bench::Server::command(
        prefix => dir() . "/peer-$name", port => $port, pin => 'server',
        command => \@command,
        env => { PEER_PORT => $port, PEER_WORKERS => $set{workers},
                 PEER_SECRET => Bench::Messages::secret_text(),
                 GOMAXPROCS => $set{workers}, NODE_ENV => 'production' });
}


# its packages, again only if others are wanted

sub npm {
    my $to = "$out/peers/node";
    my $wanted = slurp("$peers/node/package.json");
    make_path($to);

    if (slurp("$to/installed") ne $wanted) {
        die "its packages are not installed\n" unless $set{install};
        spew("$to/package.json", $wanted);
        run('npm', '--prefix', $to, 'install', '--no-package-lock',
            '--no-audit', '--no-fund', '--omit=dev');
        spew("$to/installed", $wanted);
    }

    run('sh', '-c', 'cp "$0"/*.js "$1"', "$peers/node", $to);
}


sub go_build {
    my $to = "$out/peers/go";
    make_path($to);

    run('env', '-C', "$peers/go", "GOCACHE=$to/cache", "GOPATH=$to/path",
        'GOFLAGS=-mod=mod', 'GOTOOLCHAIN=local', 'go', 'build', '-o',
        "$to/webhook", '.');
}


# --- whether it does what it claims ----------------------------------------

sub check {
    my ($name) = @_;

    my $server = start($name);
    my $wrong = eval { checks($server, lacks($name)); 1 } ? '' : $@;
    $wrong = Bench::Server::stop($server) || $wrong;

    die "$wrong\n" if $wrong;
}


sub checks {
    my ($server, $forgets) = @_;

    my $signed = Bench::Messages::make('signed', 3, 'check');
    my ($first, $second, $third) =
        map { Bench::Messages::request($signed, $_) } 1 .. 3;
    my $malformed = Bench::Messages::request(
        Bench::Messages::make('malformed', 1, 'check'), 1);

    expect($server, 'a signed message', $first, 200,
           '"type":"invoices.write.successful"', '"result":"accepted"');
    expect($server, 'another body', $second =~ s/"Success"/"Failure"/r, 401);
    expect($server, 'another id', $second =~ s/(webhook-id: )m/$1n/r, 401);
    expect($server, 'an old message', $second
           =~ s/(webhook-timestamp: )(\d+)/$1 . ($2 - 1000)/er, 401);
    expect($server, 'no signature', $second =~ s/webhook-sig.*\n//r, 401);
    expect($server, 'no JSON', $malformed, 400);
    expect($server, 'a new message', $second, 200, '"result":"accepted"');
    return if $forgets;

    # one of several processes may not know it, but it will
    for (1 .. 20) {
        my $again = Bench::Server::ask($server, $third);
        return if $again =~ /"result":"duplicate"/;
        die "to the same message it answers: $again\n"
            if $again !~ /"result":"accepted"/ || $_ > $set{workers};
    }
}


sub expect {
    my ($server, $what, $request, $status, @texts) = @_;

    my $answer = Bench::Server::ask($server, $request);
    my ($got) = $answer =~ m{^HTTP/1\.1 (\d+)};

    die "to $what it answers: $answer\n" if ($got // 0) != $status
        || grep { index($answer, $_) < 0 } @texts;
}


1;
