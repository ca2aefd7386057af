package CodatTest::Dns;

# A DNS server on a UDP port of 127.0.0.1, played by a process of its own,
# which says of each name what the test wants, and something else the next
# time if it wants that.  Questions are recorded.

use strict;
use warnings;

use Fcntl qw(:flock);
use File::Temp ();
use IO::Select ();
use IO::Socket::INET ();
use POSIX ();
use Socket qw(AF_INET6 inet_aton inet_pton);
use Time::HiRes qw(time sleep);

my %live;
my %type = (1 => 'A', 5 => 'CNAME', 28 => 'AAAA');
my %code = reverse(%type);


# new(names => { 'a.example' => [answer, answer, ...], ... })
#
# The first question for the A of a name gets the first answer, and so on; the
# last one stays; the same of AAAA.  An answer is { A => [addresses],
# AAAA => [addresses], CNAME => name, ttl => 0, delay => seconds }, or undef:
# no such name.  Delays are the same on slow machines: the clock of nginx, which
# expires answers, is.

sub new {
    my ($class, %opt) = @_;

    my $self = bless { names => {}, %opt, owner => $$ }, $class;

    $self->{file} = File::Temp->new(TEMPLATE => 'codat-dns-XXXXXX',
                                    TMPDIR => 1);
    $self->{socket} = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        Proto => 'udp') or die "dns: $@\n";
    $self->{port} = $self->{socket}->sockport;

    my $pid = fork() // die "fork: $!\n";

    if (!$pid) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM);
        eval { $self->_serve };
        warn "dns: $@" if $@;
        POSIX::_exit(1);
    }

    $self->{pid} = $pid;
    $live{$pid} = 1;

    return $self;
}


sub address { "127.0.0.1:$_[0]{port}" }


# questions($name): how often the A of the name was asked for

sub questions {
    my ($self, $name) = @_;

    open(my $fh, '<', $self->{file}->filename) or die "dns: $!\n";
    flock($fh, LOCK_SH);

    return scalar(grep { $_ eq "A $name\n" } <$fh>);
}


sub stop {
    my $self = shift;

    my $pid = delete $self->{pid} or return;
    kill('KILL', $pid);
    local $?;
    waitpid($pid, 0);
    delete $live{$pid};
}


sub _serve {
    my $self = shift;

    my $select = IO::Select->new($self->{socket});
    my @late;

    while (1) {
        @late = sort { $a->[0] <=> $b->[0] } @late;

        while (@late && $late[0][0] <= time) {
            my (undef, $peer, $packet) = @{shift @late};
            $self->{socket}->send($packet, 0, $peer);
        }

        my $wait = @late ? $late[0][0] - time : 60;
        next unless $select->can_read($wait > 0 ? $wait : 0);

        my $peer = $self->{socket}->recv(my $packet, 4096) // next;
        my ($answer, $delay) = $self->_answer($packet);

        push @late, [time + $delay, $peer, $answer] if defined $answer;
    }
}


sub _answer {
    my ($self, $packet) = @_;

    my ($id, undef, $questions) = unpack('n n n', $packet);
    return if length($packet) < 17 || $questions != 1;

    my ($at, @labels) = (12);

    while (my $length = ord(substr($packet, $at, 1))) {
        push @labels, substr($packet, $at + 1, $length);
        $at += 1 + $length;
    }

    my $name = join('.', @labels);
    my $type = $type{unpack('n', substr($packet, $at + 1, 2))} // '';
    my $question = substr($packet, 12, $at + 5 - 12);

    $self->_record("$type $name");

    my $answers = $self->{names}{$name} // [undef];
    my $n = $self->{asked}{"$type $name"}++;
    my $answer = $answers->[$n < @$answers ? $n : -1];

    my @records;

    if ($answer) {
        push @records, [CNAME => join('', map { pack('C/a', $_) }
                                      split(/\./, $answer->{CNAME}), '')]
            if $answer->{CNAME};
        push @records, [A => inet_aton($_)]
            for $type eq 'A' ? @{$answer->{A} // []} : ();
        push @records, [AAAA => inet_pton(AF_INET6, $_)]
            for $type eq 'AAAA' ? @{$answer->{AAAA} // []} : ();
    }

    # addresses beside a CNAME are those of the name that it leads to

    my $text = pack('n6', $id, $answer ? 0x8180 : 0x8183, 1,
                    scalar(@records), 0, 0) . $question;

    for my $record (@records) {
        my ($kind, $data) = @$record;
        $text .= pack('n n n N n/a', 0xc00c, $code{$kind}, 1,
                      $answer->{ttl} // 0, $data);
    }

    return ($text, ($answer && $answer->{delay}) || 0);
}


sub _record {
    my ($self, $line) = @_;

    open(my $fh, '>>', $self->{file}->filename) or die "dns: $!\n";
    flock($fh, LOCK_EX);
    print $fh "$line\n";
    close($fh);
}


sub DESTROY {
    my $self = shift;

    $self->stop if $self->{owner} && $self->{owner} == $$;
}


END {
    kill('KILL', $_) for keys %live;
}


1;
