package CodatTest::Sink;

# An application for very many requests: one process serves all connections,
# and a line is all that is kept of a request.  CodatTest::Upstream can more.

use strict;
use warnings;

use IO::Select ();
use IO::Socket::INET ();
use POSIX ();
use Time::HiRes qw(time);

my %live;


# new(path => where requests are recorded, one a line: when it was complete,
#         n, URI, then the values of "headers" ("-" without one), status;
#     headers => [names], in lower case,
#     answer => sub { my $n = shift; return ($status, $delay) })
#
# Answers have no body.  The handler runs in the process of the sink.

sub new {
    my ($class, %opt) = @_;

    my $self = bless { %opt, owner => $$, n => 0, at => 0 }, $class;

    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 511,
                                       ReuseAddr => 1)
        or die "sink: $@\n";
    $self->{port} = $listen->sockport;

    open($self->{record}, '>', $self->{path}) or die "$self->{path}: $!\n";
    $self->{record}->autoflush(1);

    my $pid = fork() // die "fork: $!\n";
    if (!$pid) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        $SIG{PIPE} = 'IGNORE';
        eval { $self->_serve($listen) };
        print STDERR "sink: $@" if $@;
        POSIX::_exit(0);
    }

    $self->{pid} = $pid;
    $live{$pid} = $$;

    return $self;
}


sub address { "127.0.0.1:$_[0]{port}" }


# lines(): those that have come since the last call, each split at its blanks

sub lines {
    my $self = shift;

    open(my $fh, '<', $self->{path}) or die "$self->{path}: $!\n";
    seek($fh, $self->{at}, 0);

    my @lines;
    while (<$fh>) {
        last unless /\n\z/;
        $self->{at} += length;
        push @lines, [split ' '];
    }

    return @lines;
}


sub _serve {
    my ($self, $listen) = @_;

    my $parent = $self->{owner};
    my $select = IO::Select->new($listen);
    my (%in, @later);

    while (getppid() == $parent) {
        my $now = time;
        while (@later && $later[0][0] <= $now) {
            my (undef, $socket, $bytes) = @{shift @later};
            syswrite($socket, $bytes);
            $socket->close;
        }

        for my $socket ($select->can_read(@later ? 0.005 : 0.5)) {
            if ($socket == $listen) {
                my $new = $listen->accept or next;
                $select->add($new);
                next;
            }

            my $key = fileno($socket);
            my $n = sysread($socket, $in{$key}, 65536, length($in{$key} // ''));
            my $answer = $n ? $self->_request($in{$key}) : undef;
            next if $n && !$answer;

            $select->remove($socket);
            delete $in{$key};

            if (!$answer) {
                $socket->close;

            } elsif ($answer->{delay}) {
                push @later, [time + $answer->{delay}, $socket,
                              $answer->{bytes}];
                @later = sort { $a->[0] <=> $b->[0] } @later;

            } else {
                syswrite($socket, $answer->{bytes});
                $socket->close;
            }
        }
    }
}


# the answer to a request, if it is complete

sub _request {
    my ($self, $bytes) = @_;

    my $end = index($bytes, "\r\n\r\n");
    return if $end < 0;

    my ($line, @headers) = split(/\r\n/, substr($bytes, 0, $end));
    my %header = map { /^([^:]+):\s*(.*)/ ? (lc $1, $2) : () } @headers;
    return if length($bytes) < $end + 4 + ($header{'content-length'} // 0);

    my $n = ++$self->{n};
    my ($status, $delay) = $self->{answer}->($n);
    my $uri = (split ' ', $line)[1];

    print {$self->{record}} join(' ', sprintf('%.6f', time), $n, $uri,
        (map { $header{$_} // '-' } @{$self->{headers}}), $status), "\n";

    return { bytes => "HTTP/1.1 $status X\r\nContent-Length: 0\r\n"
                      . "Connection: close\r\n\r\n", delay => $delay };
}


END {
    my $status = $?;
    for my $pid (grep { $live{$_} == $$ } keys %live) {
        kill('KILL', $pid);
        waitpid($pid, 0);
    }
    $? = $status;
}


1;
