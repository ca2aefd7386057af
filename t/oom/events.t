# Failing allocations of every event that Codat sends, in each generation.

use strict;
use warnings;

use lib 't/lib', 't/oom';
use CodatTest;
use Oom;
use Test::More;


my $oom = Oom->new(
    http => '',
    server => "
        location = /hook { codat_webhook zone=codat; }
        location = /bearer { codat_webhook zone=codat;
                             codat_credential bearer token; }
    ");


for my $row (catalogue()) {
    my ($event, $generation) = @$row{qw(event generation)};

    # all writes are alike
    next if $event =~ /\.write\./ && $event !~ /^invoices/;

    my $legacy = $generation eq 'legacy';

    $oom->webhook("$generation: $event", once => 1, no_row => 1,
        uri => $legacy ? '/bearer' : '/hook',
        body => sub {
            my $company = uuid();
            return body($event, generation => $generation,
                        company => $company, push_key => $_[0],
                        connection => uuid(), event_id => uuid(),
                        tags => { region => 'uk' });
        },
        $legacy ? (headers => sub { "Authorization: Bearer token\n" }) : ());
}


# --- what is rarer

$oom->webhook('without any id', once => 1, no_row => 1, uri => '/bearer',
    good => 200, anew => 1,
    body => sub { '{"eventType":"a.b","payload":{}}' },
    headers => sub { "Authorization: Bearer token\n" });
$oom->webhook('several data types', once => 1, no_row => 1,
    body => sub {
        body('read.completed', company => uuid(), connection => uuid(),
             event_id => uuid(), data_type => 'invoices,bills,customers');
    });
$oom->webhook('escapes everywhere', once => 1, no_row => 1,
    body => sub {
        my ($push) = @_;
        my $text = '\u00e9\n' x 40;
        return qq({"id":"$push","eventType":"invoices.write.unsuccessful",)
            . qq("generatedDate":"2026-01-02T03:04:05Z","payload":{)
            . qq("id":"$push","type":"Create","status":"Failed",)
            . qq("errorMessage":"$text","referenceCompany":{"id":"\\u0063o",)
            . qq("name":"$text","tags":{"$text":"$text"}},)
            . qq("x":@{['[' x 40 . ']' x 40]}}});
    });


$oom->end;
done_testing();
