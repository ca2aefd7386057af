package CodatTest::Crowd;

# Several processes at once, for load: each runs the code with its number and
# hands back a structure of data.
#
#     my $crowd = CodatTest::Crowd->new(4, sub { my $number = shift; {...} });
#     my @results = $crowd->results;

use strict;
use warnings;

use Exporter 'import';
use JSON::PP ();
use POSIX ();

our @EXPORT = qw(sender);

my $json = JSON::PP->new->allow_nonref;


sub new {
    my ($class, $n, $code) = @_;

    my @members;

    for my $number (1 .. $n) {
        pipe(my $reader, my $writer) or die "pipe: $!\n";
        my $pid = fork() // die "fork: $!\n";

        if (!$pid) {
            close($reader);
            local $SIG{PIPE} = 'IGNORE';
            my $result = eval { $code->($number) };
            $result = { died => "$@" } if $@;
            print $writer $json->encode($result);
            close($writer);

            # nothing that belongs to the parent is to be torn down
            POSIX::_exit(0);
        }

        close($writer);
        push @members, { pid => $pid, reader => $reader };
    }

    return bless { members => \@members }, $class;
}


# results(): waits for all of them

sub results {
    my $self = shift;

    my @results;

    for my $member (@{$self->{members}}) {
        my $text = do { local $/; readline($member->{reader}) };
        waitpid($member->{pid}, 0);
        push @results, $json->decode($text || '{"died":"no result"}');
    }

    return @results;
}


# sender($nginx): a function that sends requests (method, path, headers, body)
# over one connection, which it opens anew when it is cut; returns the answer,
# or undef if there was none

sub sender {
    my ($nginx, %opt) = @_;

    my $client;

    return sub {
        my $response = eval {
            $client //= $nginx->client(timeout => $opt{timeout} // 10);
            $client->request(@_);
        };

        undef $client if !$response
            || lc($response->header('connection') // '') eq 'close';

        return $response;
    };
}


1;
