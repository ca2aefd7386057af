package Bench::Load;

# One side of a pair under load for one round: a server of its own, which is
# warmed up, measured, and asked whether it did what it was to do.

use strict;
use warnings;

use JSON::PP ();
use POSIX ();

use Bench::Common qw($top %set slurp pin);
use Bench::Messages ();
use Bench::Peers ();
use Bench::Server ();


# measure($pair, $side): { rps, cpu (us), p50, p99, p999 (ms), memory (MiB),
# requests }

sub measure {
    my ($pair, $side) = @_;

    my $name = "$pair $side->{name}";
    my $messages = Bench::Messages::of($side->{kind},
                                       $set{seconds} + 10);
    my $server = $side->{peer} ? Bench::Peers::start($side->{peer})
        : Bench::Server::start(%$side, name => $name);

    my $warmup = $set{warmup} * ($side->{warmup} // 1);
    my $warm = int($messages->{n} * $warmup / ($set{seconds} + $warmup));
    wrk($server, $side, $messages, 0, $warm, $warmup) if $warmup;

    my $before = Bench::Server::cpu($server);
    my $r = wrk($server, $side, $messages, $warm, $messages->{n} - $warm - 1,
                $set{seconds});
    $r->{cpu} = (Bench::Server::cpu($server) - $before) * 1e6
        / $r->{requests};
    $r->{memory} = Bench::Server::memory($server, 'Pss');

    check($name, $server, $side, $messages, $warm);

    my $complaint = Bench::Server::stop($server);
    die "bench: $name: $complaint\n" if $complaint;

    return $r;
}


# it did what it was to do: one message comes again, one is new

sub check {
    my ($name, $server, $side, $messages, $warm) = @_;

    my ($status, $again, $new) = @{$side->{expect}};
    $again = $new if $side->{peer} && Bench::Peers::lacks($side->{peer});

    # what another process has taken, peers with several need not know
    my @ask = ([$warm + 100, $again], [$messages->{n}, $new]);
    shift @ask if $side->{peer} && $set{workers} > 1;

    for (@ask) {
        my ($i, $said) = @$_;
        my $answer = Bench::Server::ask($server,
            Bench::Messages::request($messages, $i));
        die "bench: $name: $answer\n" if $answer !~ m{^HTTP/1\.1 $status }
            || index($answer, $said) < 0;
    }
}


sub wrk {
    my ($server, $side, $messages, $first, $n, $time) = @_;

    my $where = $side->{tls} ? "https://127.0.0.1:$server->{tls_port}"
        : "http://127.0.0.1:$server->{port}";

    # it takes whole seconds only
    my @command = (pin('client'), 'wrk', '-t1', "-c$set{connections}", '-d',
        POSIX::ceil($time) . 's', '-s', "$top/t/bench/send.lua",
        "$where/webhooks/codat", '--', $messages->{path}, $first, $n,
        $side->{repeat} ? 'repeat' : ());

    open(my $pipe, '-|', @command) or die "bench: cannot run wrk: $!\n";
    my $said = do { local $/; readline $pipe };
    close($pipe) or die "bench: wrk failed\n$said";

    my ($json) = $said =~ /^result: (.*)/m or die "bench: wrk said\n$said";
    my $r = JSON::PP::decode_json($json);
    $r->{requests} or die "bench: nothing was answered\n$said";

    my %errors = %{$r->{errors}};
    my @bad = map { "$_: $errors{$_}" } grep { $errors{$_} } sort keys %errors;
    die "bench: not all was answered well (@bad)\n",
        slurp("$server->{prefix}/error.log") =~ s/(?<=\n)(?=(.*\n){20}).*//sr
        if @bad;

    return { (map { $_ => $r->{$_} } qw(requests p50 p99 p999)),
             rps => $r->{requests} * 1e6 / $r->{microseconds} };
}


1;
