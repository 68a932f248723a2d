"""What any area of an API has: calls and answers, routes, words of Authorization, pages, errors."""
