package CodatTest::Port;

# Ports for servers of tests, which are below those that the system gives to
# connections (from 32768 on, with Linux): one that was free a moment ago, or
# is free while a server restarts, is not taken by a client in another test.

use strict;
use warnings;

use Exporter qw(import);
use IO::Socket::INET ();

our @EXPORT_OK = qw(free_port free_ports);


# free_ports($n): as many different ones of 127.0.0.1

sub free_ports {
    my $n = shift;
    my @sockets;

    for my $try (1 .. 1000) {
        return map { $_->sockport } @sockets if @sockets == $n;
        push @sockets, IO::Socket::INET->new(LocalAddr => '127.0.0.1',
            LocalPort => 10_000 + int(rand(22_768)), Listen => 1) // ();
    }

    die "no free port: $@\n";
}


sub free_port { return (free_ports(1))[0] }


1;
