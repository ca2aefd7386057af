# The recipes of docs/recipes.md: each tells its service what it should, in the
# shape that the service wants, and nobody of what is no news.

use strict;
use warnings;

use lib 't/lib';

use Encode ();
use IO::Socket::SSL ();
use JSON::PP ();
use MIME::QuotedPrint qw(decode_qp);
use Test::More;

use CodatTest;
use CodatTest::Docs;
use CodatTest::Mail;

my %example = examples();
my $secret = secret();

my %host = (
    slack => 'hooks.slack.com',
    teams => 'prod-00.westeurope.logic.azure.com',
    mail_api => 'api.postmarkapp.com',
    row => 'api.airtable.com',
    pagerduty => 'events.pagerduty.com',
);

my %up = map {
    $_ => CodatTest::Upstream->new(tls => 1, answer => {
        status => { teams => 202, pagerduty => 202 }->{$_} // 200 })
} keys %host;

my $mail = CodatTest::Mail->new;

# all of them have certificates of their own for this address

my $text = $example{recipes};
my $n = $text =~ s{/etc/ssl/certs/ca-certificates\.crt}
                  {{{prefix}}/conf/tls/all.crt};
is($n, 1, 'certificates are verified');
$text =~ s/codat_retry\b[^;]+;/codat_retry 1s 1s 1s 1s 1s 1s 1s 1s;/ or die;

my $nginx = prepare($text, address => {
    (map { $host{$_} => 'localhost:' . $up{$_}->port } keys %host),
    '127.0.0.1:8025' => $mail->address,
});
$nginx->file('conf/tls/all.crt', join('', map { slurp($_->cert) }
                                      values %up));
$nginx->start;


sub event {
    my ($type, %edit) = @_;

    my $body = body($type);
    $body =~ s/\Q$_\E/$edit{$_}/ or die "no $_ in $type\n" for keys %edit;

    my $client = CodatTest::Client->new(port => $nginx->port(2));
    IO::Socket::SSL->start_SSL($client->socket, SSL_verify_mode => 0,
                               SSL_hostname => 'hooks.example.com')
        or die 'TLS: ', IO::Socket::SSL::errstr(), "\n";
    $client->{tls} = 1;

    my $response = $client->request('POST', '/webhooks/codat',
        "Content-Type: application/json\n" . signed_headers($secret, $body),
        $body, close => 1);

    is($response->status, $type =~ /write.successful/ ? 200 : 202,
       "$type is taken");

    return $body;
}


# all there is once each has as many as it should: by service, JSON

sub sent {
    my %want = @_;

    for my $name (sort keys %host) {
        my @got = $up{$name}->wait_requests($want{$name} // 0);
        is(scalar @got, $want{$name} // 0, "requests to $name");
    }

    is(scalar(my @mails = $mail->wait_messages($want{mail} // 0)),
       $want{mail} // 0, 'mails');
}


my $company = 'Finch & Orchard Ltd';

event('invoices.write.successful');

event('read.completed.initial');
sent(slack => 1, teams => 1, mail => 1, mail_api => 1, row => 1);

subtest 'a new company' => sub {
    my $news = "$company has shared its data";

    my ($slack) = $up{slack}->requests;
    like($slack->{uri}, qr{^/services/T0+/B0+/X+$}, 'Slack: path');
    is($slack->header('content-type'), 'application/json', 'media type');
    is_deeply($slack->json, {
        text => 'News of a company in Codat',
        blocks => [{ type => 'section', text => {
            type => 'plain_text', text => $news } }] }, 'Slack: message');

    my ($teams) = $up{teams}->requests;
    is($teams->{uri}, '/workflows/0123456789abcdef/triggers/manual/paths/'
       . 'invoke?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0'
       . '&sig=SIGNATURE', 'Teams: path and arguments');
    my ($card) = map { $_->{content} } @{$teams->json->{attachments}};
    is($teams->json->{attachments}[0]{contentType},
       'application/vnd.microsoft.card.adaptive', 'Teams: a card');
    is("$card->{type} $card->{version}", 'AdaptiveCard 1.4', 'adaptive');
    is($card->{body}[1]{inlines}[0]{text}, $news, 'Teams: message');

    my ($api) = $up{mail_api}->requests;
    is("$api->{method} $api->{uri}", 'POST /email', 'mail API: path');
    is($api->header('x-postmark-server-token'),
       '00000000-0000-0000-0000-000000000000', 'mail API: token');
    is_deeply($api->json, { From => 'codat@example.com',
        To => 'finance@example.com', Subject => $news, TextBody => $news,
        MessageStream => 'outbound' }, 'mail API: message');

    my ($row) = $up{row}->requests;
    is($row->{uri}, '/v0/appXXXXXXXXXXXXXX/Companies', 'row: path');
    is($row->header('authorization'), 'Bearer patXXXXXXXXXXXXXX',
       'row: token');
    is($row->json->{fields}{Company}, $company, 'row: company');
    is($row->json->{fields}{Event}, 'read.completed.initial', 'row: event');
    is($row->json->{fields}{What}, $news, 'row: text');

    my ($head, $body) = split(/\r?\n\r?\n/, ($mail->messages)[0], 2);
    like($head, qr/^Subject: \Q$news\E\r?$/m, 'mail: subject');
    like($head, qr/^To: finance\@example\.com\r?$/m, 'mail: recipient');
    like($head, qr/^Message-ID: <msg_[^>]+\@hooks\.example\.com>\r?$/m,
         'mail: id');
    like(decode_qp($body), qr/^\Q$news\E\r?\n\r?\nEvent: read\.completed/,
         'mail: text');

    for my $name (sort keys %up) {
        my ($got) = $up{$name}->requests or next;
        is($got->header('webhook-signature'), undef, "$name: no signature");
    }
};

$_->reset for values %up;
event('expenses.sync.unsuccessful');
event('bills.write.unsuccessful');
event('read.completed.unsuccessful');
sent(slack => 3, teams => 3, mail => 4);

subtest 'sync errors' => sub {
    my @news = sort map { $_->json->{blocks}[0]{text}{text} }
        $up{slack}->requests;

    like($news[0], qr/^$company: an expense sync has failed\. \w/, 'expenses');
    like($news[1], qr/^$company: bills could not be written\./, 'a push');
    like($news[2], qr/^$company: \w+ could not be read \(FetchError\)/,
         'a read');
};

$_->reset for values %up;
event('connection.disconnected');
sent(slack => 1, teams => 1, mail => 5, pagerduty => 1);
event('connection.reconnected');
sent(slack => 2, teams => 2, mail => 6, pagerduty => 2);

subtest 'a connection is lost, and is back' => sub {
    my ($lost, $back) = $up{pagerduty}->requests;

    is($lost->{uri}, '/v2/enqueue', 'path');
    is($lost->json->{routing_key}, 'R0UT1NGKEYR0UT1NGKEYR0UT1NGKEY00', 'key');
    is($lost->json->{event_action}, 'trigger', 'an incident');
    like($lost->json->{payload}{summary},
         qr/^$company: the connection to Example Books is lost$/, 'summary');
    like($lost->json->{dedup_key}, qr/^codat-connection-[0-9a-f-]{36}$/,
         'its name');
    is($back->json->{event_action}, 'resolve', 'is closed');
    is($back->json->{dedup_key}, $lost->json->{dedup_key}, 'the same one');

    my ($length) = map { length $_->json->{dedup_key} } $lost;
    cmp_ok($length, '<=', 255, 'PagerDuty takes no longer names');
};

subtest 'names are texts' => sub {
    my $name = '<!channel> "\\\\" *x* [y](https://evil.example)';
    my $json = JSON::PP->new->allow_nonref->encode($name);

    $_->reset for values %up;
    event('read.completed.initial', '"Finch & Orchard Ltd"' => $json);

    my ($slack) = $up{slack}->wait_requests(1);
    is($slack->json->{blocks}[0]{text}{text}, "$name has shared its data",
       'Slack has it');
    is($slack->json->{blocks}[0]{text}{type}, 'plain_text', 'as plain text');
    is($slack->json->{text}, 'News of a company in Codat', 'and only so');

    my ($teams) = $up{teams}->wait_requests(1);
    is($teams->json->{attachments}[0]{content}{body}[1]{type},
       'RichTextBlock', 'Teams has it without Markdown');

    my @mails = $mail->wait_messages(7);
    is(scalar @mails, 7, 'a mail');
};

subtest 'what fails is repeated' => sub {
    $_->reset for values %up;
    $mail->stop_smtp;
    event('read.completed.initial');
    $up{slack}->wait_requests(1);
    is(scalar(my @none = $mail->messages), 7, 'the SMTP server is away');

    $mail->start_smtp;
    is(scalar(my @mails = $mail->wait_messages(8)), 8, 'it is back');
    is(scalar(my @slack = $up{slack}->requests), 1, 'Slack had it before');
};

ok($nginx->stop, 'nginx stops');
no_bad_log($nginx);

done_testing();
