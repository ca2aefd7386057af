package Bench::Memory;

# Memory: of a worker that has had nothing to do yet, and of the zone for each
# delivery that it remembers.

use strict;
use warnings;

use IO::Socket::INET ();
use Time::HiRes qw(sleep);

use Bench::Common qw(%set dir);
use Bench::Messages ();
use Bench::Server ();

my $deliveries = 5000;


# idle($pair, $side): { rss, pss } in MiB, rss of one worker

sub idle {
    my ($pair, $side) = @_;

    my $server = Bench::Server::start(%$side, name => "$pair $side->{name}");
    sleep(0.2);
    my $r = { rss => Bench::Server::memory($server, 'Rss') / $set{workers},
              pss => Bench::Server::memory($server, 'Pss') };
    my $complaint = Bench::Server::stop($server);
    die "bench: $pair $side->{name}: $complaint\n" if $complaint;

    return $r;
}


# delivery($pair, $side): { bytes, cells }: the share of the zone that a
# delivery takes, with indices and all else that the zone is divided into, and
# of that the cells alone

sub delivery {
    my ($pair, $side) = @_;

    my $server = Bench::Server::start(%$side, name => "$pair $side->{name}");
    my $messages = Bench::Messages::make('unknown', $deliveries, 'delivery');

    my %before = metrics($server);
    for my $i (1 .. $deliveries) {
        my $answer = keep($server, Bench::Messages::request($messages, $i));
        die "bench: $answer\n" unless $answer =~ /"result":"accepted"/;
    }
    my %after = metrics($server);

    my $n = $after{deliveries} - $before{deliveries};
    die "bench: $n deliveries are remembered\n" unless $n == $deliveries;

    my $cells = ($after{used} - $before{used}) / $n;
    my $complaint = Bench::Server::stop($server);
    die "bench: $pair $side->{name}: $complaint\n" if $complaint;

    return { cells => $cells,
             bytes => $cells * $after{size} / ($after{used} + $after{free}) };
}


sub metrics {
    my ($server) = @_;

    my $page = Bench::Server::ask($server,
        "GET /codat/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    my %is = $page =~ /^codat_zone_(size|used|free)_bytes\{.*?\} (\d+)/mg;
    ($is{deliveries}) = $page
        =~ /^codat_rows\{.*?kind="delivery".*?\} (\d+)/m;

    die "bench: no metrics: $page\n" if 4 != grep { defined } values %is;

    return %is;
}


# asks on a connection that is kept

sub keep {
    my ($server, $request) = @_;

    my $socket = $server->{kept} //= IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', PeerPort => $server->{port})
        or die "bench: connect: $!\n";
    syswrite($socket, $request);

    my $answer = '';
    until ($answer =~ /\r\n\r\n/ && complete($answer)) {
        sysread($socket, $answer, 65536, length $answer)
            or die "bench: no answer\n";
    }

    return $answer;
}


sub complete {
    my ($answer) = @_;

    my ($length) = $answer =~ /^Content-Length: (\d+)/mi;
    my ($body) = $answer =~ /\r\n\r\n(.*)/s;

    return length($body) >= ($length // 0);
}


1;
