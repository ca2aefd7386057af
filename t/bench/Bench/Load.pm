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


# It did what it was to do: a message that it has answered is known, and one
# is new.  Of those that wrk sends at once, at least one was answered.

sub check {
    my ($name, $server, $side, $messages, $warm) = @_;

    my ($status, $again, $new) = @{$side->{expect}};
    $again = $new if $side->{peer} && Bench::Peers::lacks($side->{peer});

    my $ask = sub {
        my $answer = Bench::Server::ask($server,
            Bench::Messages::request($messages, shift));
        return $answer if $answer =~ m{^HTTP/1\.1 $status };
        die "bench: $name: $answer\n";
    };

    # several processes of a peer do not know what the others do
    if (!$side->{peer} || $set{workers} == 1) {
        my $known;
        for my $i (1 .. $set{connections}) {
            $known = index($ask->($warm + $i), $again) >= 0;
            last if $known;
        }
        die "bench: $name: no message is known\n" unless $known;
    }

    my $answer = $ask->($messages->{n});
    die "bench: $name: $answer\n" if index($answer, $new) < 0;
}


# where a machine is so busy that nothing is answered in time, not even the
# handshakes of TLS, it gets more of it

sub wrk {
    my ($server, $side, $messages, $first, $n, $time) = @_;

    for my $longer (1, 5, 20) {
        my $r = wrk_once($server, $side, $messages, $first, $n,
                         $time * $longer);
        return $r if $r->{requests};
    }

    die "bench: nothing was answered\n";
}


sub wrk_once {
    my ($server, $side, $messages, $first, $n, $time) = @_;

    my $where = $side->{tls} ? "https://127.0.0.1:$server->{tls_port}"
        : "http://127.0.0.1:$server->{port}";

    # it takes whole seconds only
    my $connections = $side->{connections} // $set{connections};
    my @command = (pin('client'), 'wrk', '-t1', "-c$connections", '-d',
        POSIX::ceil($time) . 's', '--timeout', '20s',
        '-s', "$top/t/bench/send.lua", "$where/webhooks/codat", '--',
        $messages->{path}, $first, $n, $side->{repeat} ? 'repeat' : ());

    open(my $pipe, '-|', @command) or die "bench: cannot run wrk: $!\n";
    my $said = do { local $/; readline $pipe };
    close($pipe) or die "bench: wrk failed\n$said";

    my ($json) = $said =~ /^result: (.*)/m or die "bench: wrk said\n$said";
    my $r = JSON::PP::decode_json($json);

    my %errors = %{$r->{errors}};
    my @bad = map { "$_: $errors{$_}" } grep { $errors{$_} } sort keys %errors;
    die "bench: not all was answered well (@bad)\n",
        slurp("$server->{prefix}/error.log") =~ s/(?<=\n)(?=(.*\n){20}).*//sr
        if @bad;

    return { (map { $_ => $r->{$_} } qw(requests p50 p99 p999)),
             rps => $r->{requests} * 1e6 / $r->{microseconds} };
}


1;
