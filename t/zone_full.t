# A zone that is far too small: everything is served, what is needed is kept,
# what can be spared is forgotten, oldest first, and counted.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Crowd;
use CodatTest::Metrics;
use CodatTest::Status;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);


my $api = CodatTest::Status->new(
    size => '256k', workers => 2, level => 'warn', worker_connections => 512,
    http => 'keepalive_requests 100000;');

my $nginx = $api->nginx;

my %headers = (Authorization => 'Bearer sesame',
               'Content-Type' => 'application/json');

my $final = body('bills.write.successful', push_key => 'PUSH',
                 company => 'COMPANY', connection => 'LINK');
my $failed = body('invoices.write.unsuccessful', push_key => 'PUSH',
                  company => 'COMPANY', connection => 'LINK',
                  error => 'the supplier is unknown ' x 8);
my $read = body('read.completed.successful', company => 'COMPANY',
                connection => 'LINK', data_type => 'bills,invoices,items');

my @companies = map { uuid() } 1 .. 5;
my @connections = map { uuid() } 1 .. 40;


sub fill {
    my ($text, $push, $n) = @_;

    $text =~ s/PUSH/$push/g;
    $text =~ s/COMPANY/$companies[$n % @companies]/g;
    $text =~ s/LINK/$connections[$n % @connections]/g;

    return $text;
}


# the number of a push is in its key

sub key_of { sprintf('%08x-0000-4000-8000-%012x', $_[0], $_[1]) }


my @pending = map { uuid() } 1 .. 80;

subtest 'pushes that are pending, connections' => sub {
    for my $n (0 .. $#connections) {
        $api->hook(body('connection.connected',
                        connection => $connections[$n],
                        company => $companies[$n % @companies]));
    }

    for my $n (0 .. $#pending) {
        my $response = $api->quick('PUT', "/codat/pushes/$pending[$n]", {},
            JSON::PP->new->encode({ reference => "order $n",
                                    companyId => $companies[$n % 5] }));
        die $response->body if $response->status != 201;
    }

    my $rows = $api->get('/')->{rows};
    is($rows->{pushes}, 80, 'pushes');
    is($rows->{connections}, 40, 'connections');
};


my $each = 2000;

subtest 'thousands of events' => sub {
    my $start = time;

    my $crowd = CodatTest::Crowd->new(2, sub {
        my $number = shift;
        my $send = sender($nginx);
        my %answers;

        for my $n (1 .. $each) {
            my $body = $n % 10 == 0 ? fill($read, '', $n)
                : fill($n % 3 ? $final : $failed, key_of($number, $n), $n);

            my $response = $send->('POST', '/hook',
                { %headers, 'webhook-id' => "full-$number-$n" }, $body);

            $answers{$response ? $response->status . ' '
                     . eval { $response->json->{result} } : 'none'}++;
        }

        return \%answers;
    });

    is_deeply($_, { '200 accepted' => $each }, 'all of them are accepted')
        for $crowd->results;

    note(sprintf('%.1f s', time - $start));
};


subtest 'what is needed is still there' => sub {
    my (@gone, @wrong);

    for my $n (0 .. $#pending) {
        my $response = $api->quick('GET', "/codat/pushes/$pending[$n]");
        push @gone, $n if $response->status != 200;
        my $row = eval { $response->json } // {};
        push @wrong, $n if ($row->{status} // '') ne 'Pending'
            || ($row->{reference} // '') ne "order $n"
            || ($row->{companyId} // '') ne $companies[$n % 5];
    }

    is_deeply(\@gone, [], 'every pending push');
    is_deeply(\@wrong, [], '... as it was');

    @gone = grep {
        my $response = $api->quick('GET', "/codat/connections/$_");
        $response->status != 200 || $response->json->{status} ne 'Linked';
    } @connections;

    is_deeply(\@gone, [], 'every connection');

    for my $n (7, 79) {
        my $list = $api->get("/pushes?reference=order%20$n")->{results};
        is_deeply([map { $_->{pushOperationKey} } @$list], [$pending[$n]],
                  "found by its reference: $n");
    }

    my ($list) = $api->list('/pushes?status=Pending&limit=33');
    is_deeply([map { $_->{pushOperationKey} } @$list], [reverse @pending],
              'the list of pending pushes, over pages');
};


subtest 'the newest are there, the oldest are not' => sub {
    my $total = 0;

    for my $number (1, 2) {
        my @known = grep { $_ % 10 } grep {
            $api->quick('GET', '/codat/pushes/' . key_of($number, $_))->status
                == 200
        } grep { $_ % 10 } 1 .. $each;

        # one of them may have ended long before the other

        $total += @known;
        next if !@known;
        is($known[-1], $each - 1, "client $number: the last one is known");
        cmp_ok($known[0], '>', $each / 2, "the first that is: $known[0]");

        my @between = grep { $_ % 10 } $known[0] .. $known[-1];
        is_deeply(\@known, \@between, 'and all that came after it');

        my $row = $api->get('/pushes/' . key_of($number, $each - 1));
        is($row->{status}, ($each - 1) % 3 ? 'Success' : 'Failed', 'status');
    }

    cmp_ok($total, '>', 200, "$total in all");

    # that of one may be long ago, too
    my @results = map {
        eval { $api->quick('POST', '/hook',
                           { %headers, 'webhook-id' => "full-$_-$each" },
                           fill($read, '', $each))->json->{result} } // ''
    } 1, 2;
    is(scalar(grep { $_ eq 'duplicate' } @results) > 0, 1,
       'the last delivery is known');
};


subtest 'what was forgotten is counted' => sub {
    my $page = CodatTest::Metrics->new(
        $api->quick('GET', '/codat/metrics')->body);

    my $evicted = $page->value('codat_evicted_rows_total', kind => 'push');

    cmp_ok($evicted, '>', $each, "pushes: $evicted");
    is($page->value('codat_evicted_rows_total', kind => 'connection') // 0, 0,
       'no connection');
    is($page->value('codat_evicted_rows_total', kind => 'company') // 0, 0,
       'no company');
    is($page->value('codat_unstored_rows_total', kind => 'push') // 0, 0,
       'there was always room');
    is($page->value('codat_zone_repairs_total') // 0, 0, 'no repair');
    is($page->value('codat_rows', kind => 'push') + $evicted,
       2 * $each * 9 / 10 + 80, 'all pushes are one or the other');
    cmp_ok($api->get('/')->{evicted}, '>=', $evicted, 'the overview says so');
};


subtest 'changes in a full zone' => sub {
    my $key = uuid();

    is($api->quick('PUT', "/codat/pushes/$key", {},
                   '{"reference":"late"}')->status, 201, 'a new push');
    is($api->quick('PUT', "/codat/pushes/$key", {},
                   '{"reference":"later"}')->status, 200, 'again');
    is_deeply($api->get('/pushes?reference=late')->{results}, [],
              'not under the old reference');
    is($api->get('/pushes?reference=later')->{results}[0]{pushOperationKey},
       $key, 'under the new one');

    $api->hook(fill($failed, $key, 1));
    my $row = $api->get("/pushes/$key");
    is($row->{status}, 'Failed', 'it ends');
    is($row->{reference}, 'later', 'and keeps its reference');

    is($api->quick('DELETE', "/codat/pushes/$key")->status, 204, 'forgotten');
    is($api->quick('GET', "/codat/pushes/$key")->status, 404, 'it is gone');
    is_deeply($api->get('/pushes?reference=later')->{results}, [],
              'and so is its reference');
};


$api->done;
done_testing();
