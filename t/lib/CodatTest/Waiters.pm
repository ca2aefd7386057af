package CodatTest::Waiters;

# Requests that are held: many at once, and when each one was answered.
#
#     my $waiters = CodatTest::Waiters->new($nginx);
#     $waiters->add("/codat/pushes/$key?wait=10") for 1 .. 100;
#     $waiters->parked;
#     ...
#     my @answers = $waiters->answers(100);     # CodatTest::Response, with
#                                               # {at}, {uri}, {client}

use strict;
use warnings;

use CodatTest::Client ();
use CodatTest::Slow;
use IO::Poll qw(POLLIN);
use Scalar::Util qw(weaken);
use Time::HiRes qw(time sleep);

my @all;


sub new {
    my ($class, $nginx) = @_;

    my $self = bless {
        nginx => $nginx, poll => IO::Poll->new, clients => {},
    }, $class;

    @all = grep { defined } @all, $self;
    weaken($_) for @all;

    return $self;
}


# add($uri, $headers, method => 'GET'): sends one on a connection of its own,
# which is returned

sub add {
    my ($self, $uri, $headers, %opt) = @_;

    my $client = $self->{nginx}->client(timeout => 1);
    my $method = $opt{method} // 'GET';

    $client->send($client->build($method, $uri, $headers));
    $client->{uri} = $uri;
    $client->{head} = $method eq 'HEAD';

    $self->{clients}{fileno($client->socket)} = $client;
    $self->{poll}->mask($client->socket, POLLIN);

    return $client;
}


# how many have not been answered

sub left { return scalar keys %{$_[0]{clients}} }


# parked($timeout): true when nginx works on all of them.  A request that has
# been answered counts until nginx is done with it, which is soon: all that
# are held are as many as nginx says, not fewer, unless others keep it busy

sub parked {
    my ($self, $timeout) = @_;

    my $nginx = $self->{nginx};
    my $busy = time + 1;
    my $held = 0;
    $held += $_->left for grep { defined && $_->{nginx} == $nginx } @all;

    return $nginx->_wait_until(sub {
        my $writing = $nginx->stub_status->{writing};

        return $writing == $held || ($writing > $held && time > $busy);
    }, $timeout);
}


# answers($n, $timeout = 5): those that came until $n had come, or the time
# was up, the first one first

sub answers {
    my ($self, $n, $timeout) = @_;

    my $until = time + ($timeout // slow(5));
    my @answers;

    while (@answers < $n && $self->left && time < $until) {
        next unless $self->{poll}->poll($until - time) > 0;
        my $at = time;

        for my $socket ($self->{poll}->handles(POLLIN)) {
            my $client = delete $self->{clients}{fileno($socket)} or next;
            $self->{poll}->remove($socket);

            my $response = $client->read_response(head => $client->{head})
                // bless({ status => 0, headers => [], body => '' },
                         'CodatTest::Response');
            @$response{qw(at uri client)} = ($at, $client->{uri}, $client);
            push @answers, $response;
        }
    }

    return @answers;
}


# forget($client): of this one no answer is expected any more

sub forget {
    my ($self, $client) = @_;

    $self->{poll}->remove($client->socket);
    delete $self->{clients}{fileno($client->socket)};

    return $client;
}


# leaves with all that are left: close, or abort

sub leave {
    my ($self, $how) = @_;

    for my $client (values %{$self->{clients}}) {
        $self->forget($client);
        $how && $how eq 'abort' ? $client->abort : $client->close;
    }
}


1;
