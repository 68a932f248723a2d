"""What every area of the API needs: calls and answers, routes, words of Authorization, pages, errors."""
