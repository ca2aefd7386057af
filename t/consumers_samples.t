# Samples: what tools show to those who set up a trigger.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Consumers;
use JSON::PP ();
use Test::More;

my $t = CodatTest::Consumers->new;
my $nginx = $t->nginx;
my $uuid5 = qr/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

# what Codat sends today, and what the older service alone does

my @data_types = qw(bankAccounts bankTransactions billCreditNotes billPayments
    bills chartOfAccounts creditNotes customers directCosts directIncomes
    invoices items journalEntries journals payments purchaseOrders suppliers
    transfers);
my @types = (
    (map { "company.$_" } qw(created deleted product.added product.removed)),
    (map { "connection.$_" } qw(created connected reconnected disconnected
        failed deleted changed)),
    'read.completed', (map { "read.completed.$_" } qw(initial successful
        unsuccessful successful.initial)),
    (map { "client.rateLimit.$_" } qw(reached reset)),
    (map { "bankFeeds.sourceAccount.$_" } qw(connected disconnected)),
    (map { my $x = $_; map { "$x.$_" } qw(successful unsuccessful) }
        'expenses.sync', map { "reports.$_.generate" }
            qw(categorizedBankStatement creditModel spendAnalysis)),
    (map { my $x = $_; map { "$x.write.$_" }
        qw(successful unsuccessful pending) } @data_types),
    qw(AccountCategoriesUpdated SyncStarted codat.consumer.disabled));


sub samples {
    my ($query, %headers) = @_;

    return $t->call(GET => 'webhooks/samples' . ($query // ''), undef,
                    %headers);
}


# the type of a body, as Codat names it

sub type { return $_[0]{eventType} // $_[0]{RuleType} // 'none' }


subtest 'nothing has happened' => sub {
    my $all = samples();
    is($t->{status}, 200, 'without a type');
    is(ref $all, 'ARRAY', 'an array');

    my %id;
    for my $sample (@$all) {
        is($sample->{sample}, JSON::PP::true, type($sample) . ': marked');
        like($sample->{id}, $uuid5, type($sample) . ': id');
        $id{$sample->{id}}++;
    }
    is(scalar keys %id, scalar @$all, 'no id is there twice');
    is(scalar @$all, scalar @types, 'as many as there are types');

    for my $type (@types) {
        my $got = samples("?eventType=$type");
        is(scalar @$got, 1, "$type: one");
        ok($id{$got->[0]{id}}, "$type: the same one as in the list");
        is($got->[0]{eventType}, $type, "$type: eventType")
            unless exists $got->[0]{RuleType};
    }

    is_deeply(samples(), $all, 'the same ones once more');
    is_deeply(samples('?eventType=*'), $all, '*');
    is_deeply(samples('?eventType='), $all, 'an empty type');

    is_deeply([map { type($_) } @{samples('?eventType=connection.*')}],
              [(map { "connection.$_" } qw(created connected reconnected
                disconnected failed deleted)),
               'Company data connection status changed'], 'a pattern');
    is_deeply(samples('?eventType=Data+sync+completed'),
              samples('?eventType=read.completed'), 'a name of a rule');
    is_deeply(samples('?eventType=%69nvoices.WRITE.successful'),
              samples('?eventType=invoices.write.successful'),
              'another spelling');
    is(type(samples('?eventType=widgets.write.successful')->[0]),
       'widgets.write.successful', 'a data type that is new');
    is_deeply(samples('?eventType=widgets.painted'), [],
              'a type that nobody knows');
    is_deeply(samples('?eventType=widgets.*'), [], 'and a pattern of such');
};


subtest 'an example can be sent to a webhook' => sub {
    for my $type (qw(invoices.write.successful connection.failed
                     SyncStarted connection.changed bills.write.pending)) {
        my ($sample) = @{samples("?eventType=$type")};
        is($t->event($sample), 200, "$type: accepted");
        my ($event) = @{$nginx->request('GET', '/codat/events?limit=1')
                        ->json->{results}};
        is($event->{data}{eventType}, $type, "$type: is one");
        is($event->{id}, $sample->{id}, "$type: its id");
    }
};


subtest 'what has happened' => sub {
    my @ids;
    my $query = '?eventType=bills.write.successful';

    for my $n (1 .. 12) {
        my $text = body('bills.write.successful', id => uuid());
        my $id = JSON::PP->new->utf8->decode($text)->{id};
        is($t->event("\n $text \n"), 200, "event $n");
        unshift @ids, $id;

        my $got = samples("$query&limit=1");
        is_deeply($got, [JSON::PP->new->utf8->decode($text)],
                  "event $n is as it was sent, without a mark") if $n < 3;
    }

    is(join(' ', map { $_->{id} } @{samples($query)}),
       join(' ', @ids[0 .. 9]), 'ten, the newest first');
    is(join(' ', map { $_->{id} } @{samples("$query&limit=2")}),
       join(' ', @ids[0, 1]), 'limit=2');
    is(scalar @{samples("$query&limit=100")}, 12, 'limit=100');

    my $all = samples();
    is($all->[0]{id}, $ids[0], 'of all types: it is the first');
    is(scalar(grep { type($_) eq 'bills.write.successful' } @$all), 1,
       'and alone of its type');
    is(scalar @$all, scalar @types, 'as many as there are types');
    ok(!exists $all->[0]{sample}, 'what happened is not marked');
    is($all->[-1]{sample}, JSON::PP::true, 'what did not is');

    is(join(' ', map { $_->{id} }
            @{samples('?eventType=bills.write.*')}[0 .. 1]),
       join(' ', $ids[0], samples('?eventType=bills.write.pending')->[0]{id}),
       'of a pattern: the newest of each type');
};


subtest 'ids' => sub {
    my $alert = uuid();
    my %rule = (RuleType => 'Account Categories Updated', CompanyId => uuid(),
                Message => 'x', Data => {});

    is($t->event({ AlertId => $alert, %rule }), 200, 'a rule');
    my ($got) = @{samples('?eventType=AccountCategoriesUpdated&limit=1')};
    is_deeply($got, { id => $alert, AlertId => $alert, %rule },
              'has its AlertId as id');
    like($t->{answer}->body, qr/^\[\{"id":"\Q$alert\E",/, 'in front');

    is($t->event('{ "eventType": "widgets.painted" }',
                 'webhook-id' => 'msg_1'), 200, 'one without any id');
    is_deeply(samples('?eventType=widgets.painted'),
              [{ id => 'msg_1', eventType => 'widgets.painted' }],
              'has that of its header');

    is($t->event('{"eventType":"widgets.painted","id":null}'), 200, 'null');
    ($got) = @{samples('?eventType=widgets.painted&limit=1')};
    like($got->{id}, qr/^[0-9a-f]{32}$/, 'has the key of idempotency');
    is($t->event('{"eventType":"widgets.painted","id":17}'), 200, 'a number');
    is(samples('?eventType=widgets.painted&limit=1')->[0]{id}, 17, 'is kept');
};


subtest 'clients' => sub {
    my $id = uuid();
    my $text = body('items.write.successful', id => $id);
    my $as = sub {
        require MIME::Base64;
        return (Authorization => 'Basic '
                . MIME::Base64::encode_base64("$_[0]:$t->{key}", ''));
    };

    is($t->event($text, 'X-Codat-ClientId' => 'one'), 200, 'of a client');
    my $query = '?eventType=items.write.successful';
    my $sent = JSON::PP->new->utf8->decode($text)->{id};
    is(samples($query, $as->('one'))->[0]{id}, $sent, 'it sees it');
    isnt(samples($query, $as->('two'))->[0]{id}, $sent,
         'another client does not');
    is(samples($query)->[0]{id}, $sent, 'whoever names no client does');
};


subtest 'what is refused' => sub {
    for my $case (['?eventType=a..b', 'eventType'],
                  ['?eventType=a%20b', 'eventType'],
                  ['?eventType=%zz', 'eventType'], ['?limit=0', 'limit'],
                  ['?limit=101', 'limit'], ['?limit=x', 'limit']) {
        my ($query, $item) = @$case;
        my $said = samples($query);
        is($t->{status}, 400, "$query: status");
        is($said->{validation}{errors}[0]{itemId}, $item, "$query: says why");
    }

    samples('?page=1&pageSize=3');
    is($t->{status}, 200, 'arguments that are not known are ignored');
    samples('', Authorization => 'Bearer x');
    is($t->{status}, 401, 'without the key');
};


subtest 'an event that can not be read' => sub {
    my $query = '?eventType=company.deleted';
    is($t->event(body('company.deleted'), 'webhook-id' => "spoilt_$_"), 200,
       "event $_") for 1 .. 2;
    is(scalar @{samples($query)}, 2, 'both are shown');

    is($nginx->sql("UPDATE event SET body = CAST('{' AS BLOB)"
                   . " WHERE webhook_id = 'spoilt_2'"), '', 'one is spoilt');
    is(scalar @{samples($query)}, 1, 'it is left out');
    like($nginx->error_log,
         qr/\[alert\] .*codat: event \d+ of the store can't be read/,
         'the log says why');
};


ok($nginx->wait_idle, 'no request is left');
ok($nginx->stop, 'nginx stops');
no_bad_log($nginx, except => qr/can't be read/);

done_testing();
