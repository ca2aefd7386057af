package Bench::Alone;

# What the two unavoidable passes over a body cost outside nginx: HMAC, and
# one of yajl.

use strict;
use warnings;

use Bench::Common qw($top $out %set dir slurp spew pin);
use Bench::Messages ();


# measure($pair, $side): { cpu, hmac, yajl } in microseconds

sub measure {
    my ($pair, $side) = @_;

    my $program = build();
    my $messages = Bench::Messages::of($side->{kind}, 0);
    my $body = Bench::Messages::request($messages, 1)
        =~ s/^.*?\r\n\r\n//sr;
    my $path = dir() . "/$side->{kind}.body";
    spew($path, $body);

    open(my $pipe, '-|', pin('server'), $program, $path, 0.3)
        or die "bench: cannot run $program: $!\n";
    my ($hmac, $yajl) = split ' ', readline($pipe) // '';
    close($pipe) or die "bench: $program failed\n";

    return { hmac => 0 + $hmac, yajl => 0 + $yajl, cpu => $hmac + $yajl };
}


sub build {
    our $program;
    return $program if $program;

    system($ENV{CC} || 'cc', '-O2', '-Wall', '-o', "$out/alone",
           "$top/t/bench/alone.c", '-lcrypto', '-lyajl') == 0
        or die "bench: alone.c does not build\n";

    return $program = "$out/alone";
}


1;
