package Bench::Instructions;

# Instructions per request, counted by valgrind: no noise, no kernel, and a CPU
# that has no instructions for SHA-256.

use strict;
use warnings;

use Bench::Common qw($top $out %set slurp);
use Bench::Memory ();
use Bench::Messages ();
use Bench::Peers ();
use Bench::Server ();

use constant { WARM => 200, COUNTED => 1000 };


sub possible {
    return 0 == system('sh', '-c', 'command -v valgrind vgdb > /dev/null');
}


# of nginx only, and by way of a connection without TLS

sub countable {
    my ($side) = @_;

    return !$side->{measure} && !$side->{tls}
        && (!$side->{peer} || Bench::Peers::is_nginx($side->{peer}));
}


# count($pair, $side): instructions per request; what callgrind wrote is kept

sub count {
    my ($pair, $side) = @_;

    my $file = file($pair, $side);
    unlink $file, glob("$file.*");

    my $messages = Bench::Messages::make($side->{kind}, WARM + COUNTED,
                                         'counted');
    my @wrap = (wrap => ['valgrind', '--quiet', '--tool=callgrind',
        '--instr-atstart=no', "--callgrind-out-file=$file"]);
    my $server = $side->{peer} ? Bench::Peers::start($side->{peer}, @wrap)
        : Bench::Server::start(%$side, @wrap, name => "count $side->{name}");

    for my $i (1 .. WARM + COUNTED) {
        control($server, 'on') if $i == WARM + 1;
        my $answer = Bench::Memory::keep($server,
            Bench::Messages::request($messages, $i));
        die "bench: $answer\n" unless $answer =~ m{^HTTP/1\.1 20[04]};
    }

    control($server, 'off');
    my $complaint = Bench::Server::stop($server);
    die "bench: $pair $side->{name}: $complaint\n" if $complaint;

    my ($total) = slurp($file) =~ /^totals: (\d+)/m
        or die "bench: callgrind has counted nothing\n";

    return $total / COUNTED;
}


sub file {
    my ($pair, $side) = @_;

    return "$out/callgrind.$pair." . $side->{name} =~ tr/ /-/r;
}


# callgrind_control asks every process that runs under valgrind; this does not

sub control {
    my ($server, $what) = @_;

    system('sh', '-c', 'exec vgdb --wait=20 --pid="$0" instrumentation "$1" '
           . '> /dev/null 2>&1', $server->{pid}, $what) == 0
        or die "bench: vgdb failed\n";
}


# by function

sub annotate {
    my ($pair, $side) = @_;

    my $file = file($pair, $side);
    open(my $pipe, '-|', 'callgrind_annotate', '--threshold=99.5',
         '--show-percs=no', $file) or die "callgrind_annotate: $!\n";

    my $lines = 0;
    while (defined(my $line = readline $pipe)) {
        my ($count, $what) = $line =~ /^\s*([\d,]+)\s+(.*)/ or next;
        $count =~ tr/,//d;
        $what =~ s/^\S*?:(?=\S)|\s*\[.*\/([^\/]+)\]$//g;
        printf "%9.0f  %s\n", $count / COUNTED, $what if $lines++ < 60;
    }

    print "all of it: callgrind_annotate $file\n" =~ s{\Q$top/}{}r;
}


1;
