# Failing allocations of webhooks that are queued, in nginx and in SQLite, of
# the store's lists, and of replays: what was answered 202 reaches the
# application, and what was not is taken when it comes again.

use strict;
use warnings;

use lib 't/lib', 't/oom';
use CodatTest;
use CodatTest::Slow;
use Oom;
use Test::More;
use Time::HiRes qw(sleep time);


my $oom = Oom->new(
    zone => 'zone=codat:1m store=sqlite:{{prefix}}/codat.db',
    http => 'codat_retry 10ms 10ms 10ms 1s 1s;',
    server => '
        location = /hook { codat_webhook zone=codat; codat_forward * /app/a; }
        location = /two { codat_webhook zone=codat;
                          codat_forward *.write.* /app/a;
                          codat_forward * /app/b order=company; }
        location = /sync { codat_webhook zone=codat delivery=sync;
                           codat_forward * /app/a; }
    ');


# arrived($id, $uri): it got there, at the latest when a lease has ended

sub arrived {
    my ($id, $uri) = @_;

    my $until = time + 22 + slow(8);
    do {
        return 1 if $oom->sent($id)->{$uri};
        sleep(0.02);
    } while (time < $until);

    return 0;
}


# Not with all allocations behind one: what can't be recorded is delivered
# again when its lease has ended, 22 s later.

sub webhook {
    my ($title, $uri, $good, @forwards) = @_;

    my $number = 0;

    $oom->sweep($title, sub {
        my ($self, $arm, $problem) = @_;

        my $push = uuid();
        my $id = 'msg_' . ($uri =~ tr{/}{}dr) . ++$number;
        my $body = body('invoices.write.successful', push_key => $push);
        my @headers = map { [split(/: /, $_, 2)] } split(/\n/,
            signed_headers($Oom::secret, $body, id => $id));
        my $deliver = sub {
            return $self->request('POST', $uri,
                [@headers, $_[0] ? ['X-Oom', $_[0]] : ()], $body);
        };

        my ($status) = $deliver->($arm);
        my $state = $self->answered($problem, $arm, $status, $good);
        my $first = $status;

        # what is held, or was not taken, is taken in the end
        my $until = time + slow(10);
        while ($status ne $good && $status ne '200' && time < $until) {
            ($status) = $deliver->();
            sleep(0.02) if $status ne $good;
        }
        $problem->("answers: $first, then $status")
            if $status ne $good && $status ne '200';

        for my $forward (@forwards) {
            $problem->("answers: $first, $status, but $forward got nothing")
                unless arrived($id, $forward);
        }

        ($status, my $row) = $self->get("/pushes/$push");
        $problem->("the push is not known: $status")
            if $status ne '200' && !$state->{cell};
    }, once => 1);
}


webhook('queued', '/hook', 202, '/app/a');
webhook('queued twice, one in order', '/two', 202, '/app/a', '/app/b');
webhook('stored, and forwarded at once', '/sync', 200, '/app/a');

my $id = ($oom->get('/events?limit=1'))[1]{results}[0]{id};
ok($id, 'an event is listed');

my %paths = (
    '/events?limit=3' => 200, "/events/$id" => 200, '/events/none' => 404,
    '/events?state=delivered&limit=3' => 200,
    '/events?eventType=*.write.*&limit=3' => 200,
);

for my $path (sort keys %paths) {
    $oom->sweep("GET $path", sub {
        my ($self, $arm, $problem) = @_;

        my ($status) = $self->request('GET', "/codat$path",
                                      [$arm ? ['X-Oom', $arm] : ()]);
        $self->answered($problem, $arm, $status, $paths{$path});
    });
}

$oom->sweep('a replay', sub {
    my ($self, $arm, $problem) = @_;

    my ($status) = $self->request('POST', "/codat/events/$id/replay",
                                  [$arm ? ['X-Oom', $arm] : ()]);
    # or the one before is under way
    $self->answered($problem, $arm, $status, 202, 409);
});


$oom->end;
done_testing();
